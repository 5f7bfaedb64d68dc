//! How a request is signed so that its receiver can check it with a library: Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use data_encoding::BASE64;
use firstbell_core::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 in base64, keyed as Standard Webhooks has it: `whsec_` and base64, or any other text as it stands.
pub fn signature(key: &Secret, text: &str) -> String {
    let written = key.expose().trim();
    let decoded = written.strip_prefix("whsec_").and_then(|key| BASE64.decode(key.as_bytes()).ok());
    let bytes = zeroize::Zeroizing::new(decoded.unwrap_or_else(|| written.as_bytes().to_vec()));
    let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).expect("any length is a key");
    mac.update(text.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// The three headers that a signed body goes with: what tells one message from another, seconds since 1970, and the signature.
pub fn headers(key: &Secret, (id, seconds): (&str, i64), body: &Secret) -> Vec<(String, Secret)> {
    let text = Secret::new(format!("{id}.{seconds}.{}", body.expose()));
    let signature = format!("v1,{}", signature(key, text.expose()));
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ]
    .map(|(name, value)| (name.to_owned(), Secret::new(value)))
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let key = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let text = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        assert_eq!(signature(&key, text), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
