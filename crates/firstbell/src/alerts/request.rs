//! Requests that carry a channel's secret: the one place where it is put into an address or a header.

use data_encoding::{BASE64, HEXLOWER};
use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use sha2::{Digest, Sha256};
use url::Url;

use super::provider;
use crate::ports::{ChannelFault, Message};
use crate::written::Section;

/// An address below a provider's own: fixed parts and one secret between them, which cannot lead elsewhere.
pub(super) fn below(server: &Origin, before: &str, secret: &Secret, after: &str) -> Secret {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~:".contains(&b);
    let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    let secret: String = secret.expose().bytes().map(one).collect();
    Secret::new(server.join(&format!("{before}{secret}{after}")))
}

/// A secret that is an address, looked at before anything goes there, and with further query pairs.
pub(super) fn address(name: &str, secret: &Secret, pairs: &[(&str, &str)]) -> Result<Secret, ChannelFault> {
    let mut url = Url::parse(secret.expose().trim()).map_err(|_| provider::not_an_address(name))?;
    if Origin::of(&url).is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(provider::not_an_address(name));
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    url.set_fragment(None);
    Ok(Secret::new(url.into()))
}

/// `Authorization: Bearer …`.
pub(super) fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

/// `Authorization: Basic …` (RFC 7617).
pub(super) fn basic(user: &str, password: &Secret) -> Secret {
    let pair = Secret::new(format!("{user}:{}", password.expose()));
    Secret::new(format!("Basic {}", BASE64.encode(pair.expose().as_bytes())))
}

/// What tells one message from another: the same message sent again has the same.
pub(super) fn id(message: &Message) -> String {
    let mut hash = Sha256::new();
    for part in [&message.incident, message.severity.as_str(), &message.title, &message.body] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update([u8::from(message.over)]);
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// Reads `server`: the provider's own, or another one that speaks like it.
pub(super) fn server(section: &mut Section<'_>, usual: &str) -> Origin {
    let read = |text: &str| Origin::parse(text).map_err(|e| e.to_string());
    section.parsed("server", read).unwrap_or_else(|| Origin::parse(usual).expect("it is one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_path_cannot_leave_it() {
        let server = Origin::parse("https://api.telegram.org").unwrap();
        let url = below(&server, "/bot", &Secret::new("1:a/../b?c#d@e".into()), "/sendMessage");
        assert_eq!(url.expose(), "https://api.telegram.org/bot1:a%2F..%2Fb%3Fc%23d%40e/sendMessage");
    }

    #[test]
    fn an_address_goes_over_encryption_or_stays_here() {
        let of = |text: &str| address("address", &Secret::new(text.into()), &[("wait", "true")]);
        assert_eq!(of("https://a.example/x?y=1#z").unwrap().expose(), "https://a.example/x?y=1&wait=true");
        assert!(of("http://127.0.0.1:9/x").is_ok());
        for wrong in
            ["http://a.example/x", "http://localhost/x", "a.example", "file:///x", "https://u:p@a.example/"]
        {
            let fault = of(wrong).unwrap_err();
            assert!(!fault.again && !fault.why.contains("example"), "{fault:?}");
        }
    }
}
