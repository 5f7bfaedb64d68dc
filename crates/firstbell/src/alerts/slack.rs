//! Slack: an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use jiff::Timestamp;
use serde_json::json;

use super::kind::{Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Received};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["address"];

/// Slack advises 4,000 characters and cuts at 40,000.
const LETTERS_MAX: usize = 4000;

const NEW: &str = "Make a new incoming webhook for the channel, and store its address.";
const SLACK: Provider = Provider {
    name: "Slack",
    credential: NEW,
    place: NEW,
    form: "See that the channel still exists and takes the webhook's messages.",
};

#[derive(Debug)]
struct Slack;

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    sources.required(section, "address");
    Some(Box::new(Slack))
}

impl Web for Slack {
    const PROVIDER: Provider = SLACK;

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        // The three letters of which Slack makes links and mentions, whether it reads the rest as markup or not.
        let text = text::whole(message, LETTERS_MAX, char::len_utf16);
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let body = json!({
            "text": text,
            "mrkdwn": false,
            "parse": "none",
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        let url = request::address("address", keys.of("address"), &[])?;
        Ok(Call::post(url, "application/json", provider::open(&body)))
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        if provider::is(reply, "ok") { Ok(Receipt::Accepted) } else { Err(SLACK.strange()) }
    }
}
