//! Slack: an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use serde_json::json;

use super::kind::{Far, Keys, Kind, Outside, Sources};
use super::provider::{self, Provider};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Soon};
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

impl Kind for Slack {
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
            let reply =
                SLACK.call(outside, Call::post(url, "application/json", provider::open(&body))).await?;
            if provider::is(&reply, "ok") { Ok(Receipt::Accepted) } else { Err(SLACK.strange()) }
        })
    }
}
