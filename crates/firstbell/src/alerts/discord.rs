//! Discord: a webhook (<https://discord.com/developers/docs/resources/webhook#execute-webhook>).

use jiff::Timestamp;
use serde_json::json;

use super::kind::{Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Received};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["address"];

/// "up to 2000 characters".
const LETTERS_MAX: usize = 2000;

/// Letters of Discord's markdown, of mentions and of its own emoji.
const MARKUP: &str = "\\*_~`|>#-+[]()<@:.";

/// `SUPPRESS_EMBEDS`: no previews of links.
const NO_PREVIEWS: u8 = 1 << 2;

const NEW: &str = "Make a new webhook for the channel, and store its address.";
const DISCORD: Provider = Provider {
    name: "Discord",
    credential: NEW,
    place: NEW,
    form: "See that the webhook's channel is a text channel.",
};

#[derive(Debug)]
struct Discord;

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    sources.required(section, "address");
    Some(Box::new(Discord))
}

impl Web for Discord {
    const PROVIDER: Provider = DISCORD;

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        let text = text::whole(message, LETTERS_MAX, char::len_utf16);
        let body = json!({
            "content": text::marked(&text, MARKUP, LETTERS_MAX),
            "allowed_mentions": { "parse": [] },
            "flags": NO_PREVIEWS,
        });
        // Without it an answer says only that the request was read.
        let url = request::address("address", keys.of("address"), &[("wait", "true")])?;
        Ok(Call::post(url, "application/json", provider::open(&body)))
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        match provider::json(reply) {
            Some(reply) if reply["id"].is_string() => Ok(Receipt::Accepted),
            _ => Err(DISCORD.strange()),
        }
    }
}
