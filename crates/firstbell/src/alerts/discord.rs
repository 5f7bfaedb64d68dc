//! Discord: a webhook (<https://discord.com/developers/docs/resources/webhook#execute-webhook>).

use serde_json::json;

use super::kind::{Far, Keys, Kind, Outside, Sources};
use super::provider::{self, Provider};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Soon};
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

impl Kind for Discord {
    fn far(&self, keys: &Keys) -> Far {
        Far::of(keys.of("address"))
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        keys: &'a Keys,
        outside: &'a Outside<'a>,
    ) -> Soon<'a, Result<Receipt, ChannelFault>> {
        Box::pin(async move {
            let text = text::whole(message, LETTERS_MAX, char::len_utf16);
            let body = json!({
                "content": text::marked(&text, MARKUP, LETTERS_MAX),
                "allowed_mentions": { "parse": [] },
                "flags": NO_PREVIEWS,
            });
            // Without it an answer says only that the request was read.
            let url = request::address("address", keys.of("address"), &[("wait", "true")])?;
            let call = Call::post(url, "application/json", provider::open(&body));
            let reply = DISCORD.call(outside, call).await?;
            match provider::json(&reply) {
                Some(reply) if reply["id"].is_string() => Ok(Receipt::Accepted),
                _ => Err(DISCORD.strange()),
            }
        })
    }
}
