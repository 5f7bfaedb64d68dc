//! Telegram: the Bot API's `sendMessage`, as plain text (<https://core.telegram.org/bots/api#sendmessage>).

use firstbell_core::notice::Severity;
use firstbell_core::origin::Origin;
use jiff::Timestamp;
use serde_json::json;

use super::kind::{Far, Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Received};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["token", "chat_id", "server", "commands"];

/// "1-4096 characters after entities parsing"; counted in UTF-16 units, as Telegram counts entities.
pub(super) const LETTERS_MAX: usize = 4096;

pub(super) const TELEGRAM: Provider = Provider {
    name: "Telegram",
    credential: "Store the bot's token from @BotFather anew; or the person must open the chat and press Start, or unblock the bot.",
    // A token of a wrong form is answered with 404.
    place: "Store the bot's token from @BotFather anew.",
    form: "See that chat_id is the number of a chat in which somebody wrote to the bot.",
};

#[derive(Debug)]
struct Telegram {
    server: Origin,
    chat_id: String,
    /// Whether what a paired person writes to the bot is read.
    commands: bool,
}

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    sources.required(section, "token");
    let chat_id = section.required("chat_id");
    let known = |id: &str| {
        let name =
            id.strip_prefix('@').is_some_and(|n| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        name || id.parse::<i64>().is_ok()
    };
    if chat_id.as_deref().is_some_and(|id| !known(id)) {
        section.fault(
            "chat_id must be a chat's number, such as \"123456789\" or \"-1001234567890\", or \"@name\"",
        );
    }
    // The Bot API server is open source, and some run their own.
    let server = request::server(section, "https://api.telegram.org");
    let commands = section.flag("commands").unwrap_or(false);
    Some(Box::new(Telegram { server, chat_id: chat_id?, commands }))
}

impl Web for Telegram {
    const PROVIDER: Provider = TELEGRAM;

    fn far(&self, _keys: &Keys) -> Far {
        Far::Web(self.server.clone())
    }

    fn listens(&self) -> Option<&Origin> {
        self.commands.then_some(&self.server)
    }

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        let body = json!({
            "chat_id": self.chat_id,
            "text": text::whole(message, LETTERS_MAX, char::len_utf16),
            "link_preview_options": { "is_disabled": true },
            "disable_notification": message.severity == Severity::Information,
        });
        let url = request::below(&self.server, "/bot", keys.of("token"), "/sendMessage");
        Ok(Call::post(url, "application/json", provider::open(&body)))
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        match provider::json(reply) {
            Some(reply) if reply["ok"] == true => Ok(Receipt::Accepted),
            _ => Err(TELEGRAM.strange()),
        }
    }
}
