//! A webhook of one's own: signed JSON by Standard Webhooks, so that a receiver can check it with a library
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! The request has the headers `webhook-id`, `webhook-timestamp` (seconds since 1970) and `webhook-signature`: `v1,` and the base64
//! of HMAC-SHA256 over `ID.TIMESTAMP.BODY`. The key is the channel's secret `key`: `whsec_` and the key's base64, or any other text,
//! whose bytes are the key. A receiver checks the signature over the body as it came, refuses a timestamp that is more than five
//! minutes off, and drops an id that it has seen: a message that is sent again has the same id.

use firstbell_core::secret::Secret;
use jiff::Timestamp;
use serde_json::json;

use super::kind::{Keys, Kind, Sources};
use super::provider::{Provider, Web};
use super::request;
use crate::ports::{Call, ChannelFault, Message, Receipt, Received};
use crate::signature;
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["address", "key"];

const RECEIVER: Provider = Provider {
    name: "the webhook's receiver",
    credential: "Give the receiver the same key: firstbell secrets set --channel NAME key.",
    place: "Store the receiver's address anew: firstbell secrets set --channel NAME address.",
    form: "See the receiver's own log: it refused a message of version 1.",
};

#[derive(Debug)]
struct Webhook;

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    sources.required(section, "address");
    sources.required(section, "key");
    Some(Box::new(Webhook))
}

impl Web for Webhook {
    const PROVIDER: Provider = RECEIVER;

    fn request(&self, message: &Message, keys: &Keys, now: Timestamp) -> Result<Call, ChannelFault> {
        let id = request::id(message);
        let body = json!({
            "version": 1,
            "id": id,
            "at": now.to_string(),
            "severity": message.severity.as_str(),
            "title": message.title,
            "body": message.body,
            "incident": message.incident,
            "over": message.over,
        })
        .to_string();
        let url = request::address("address", keys.of("address"), &[])?;
        let body = Secret::new(body);
        let own_headers = signature::headers(keys.of("key"), (&id, now.as_second()), &body);
        Ok(Call { own_headers, ..Call::post(url, "application/json", body) })
    }

    fn answer(&self, _reply: &Received) -> Result<Receipt, ChannelFault> {
        Ok(Receipt::Accepted)
    }
}
