//! A Telegram bot that hears: the Bot API's `getUpdates`, and what a conversation needs beside it.
//!
//! Facts from <https://core.telegram.org/bots/api#getupdates>: an update is confirmed, and never given again, once a call names a
//! higher offset; without one the earliest that are not confirmed are given; numbers rise, but after a week of silence the next
//! one is random, so that an offset is good for one call and is not kept. A second reader, or a webhook, is answered with 409.

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::kind::Outside;
use super::provider;
use super::request;
use super::telegram::{LETTERS_MAX, TELEGRAM};
use super::text;
use crate::censor;
use crate::ports::{Call, ChannelFault, Received};

/// How many updates one call may bring. Each may have 4096 letters twice, as an answer repeats what it answers, and a reply is
/// bounded.
const AT_ONCE: u8 = 4;
/// How long a call waits for news, seconds. An HTTP exchange may take 15.
const WAIT_S: u8 = 10;

/// A bot with its token.
#[derive(Debug)]
pub struct Bot<'a> {
    server: Origin,
    token: Secret,
    outside: Outside<'a>,
}

/// One update. What is no message to the bot has a number only.
#[derive(Debug)]
pub struct Heard {
    /// Its number.
    pub update: i64,
    /// The message.
    pub spoken: Option<Spoken>,
}

/// A text that somebody wrote where the bot is.
#[derive(Debug)]
pub struct Spoken {
    /// Its number in its chat.
    pub message: i64,
    /// The chat.
    pub chat: i64,
    /// Who wrote it.
    pub from: i64,
    /// Whether nobody else reads this chat.
    pub private: bool,
    /// Whether a person wrote it here and now: not a bot, not forwarded, not edited, not in a channel's name.
    pub own: bool,
    /// When Telegram got it.
    pub at: Timestamp,
    /// What it says. A person may paste a request token.
    pub text: Secret,
}

/// Why a bot heard nothing.
#[derive(Debug)]
pub enum Deaf {
    /// Somebody else reads its messages, by asking as we do or through a webhook.
    Taken {
        /// Whether it is a webhook.
        webhook: bool,
    },
    /// What else there may be.
    Fault(ChannelFault),
}

impl<'a> Bot<'a> {
    pub(super) fn new(server: Origin, token: Secret, outside: Outside<'a>) -> Bot<'a> {
        Bot { server, token, outside }
    }

    /// Its token: to tell one bot from another, by a mark that does not tell the token.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Waits for updates for up to 10 s, or asks for those that there are; an offset confirms all updates below it.
    ///
    /// # Errors
    /// [`Deaf`].
    pub async fn hear(&self, offset: Option<i64>, waits: bool) -> Result<Vec<Heard>, Deaf> {
        let timeout = if waits { WAIT_S } else { 0 };
        let mut body = json!({ "limit": AT_ONCE, "timeout": timeout, "allowed_updates": ["message"] });
        if let Some(offset) = offset {
            body["offset"] = json!(offset);
        }
        let reply = self.call("getUpdates", &body).await.map_err(Deaf::Fault)?;
        match (reply.status, provider::json(&reply)) {
            (409, said) => Err(Deaf::Taken { webhook: says_webhook(&said.unwrap_or_default()) }),
            (200, Some(Value::Object(mut said))) if said.get("ok") == Some(&Value::Bool(true)) => {
                match said.remove("result") {
                    Some(Value::Array(updates)) => Ok(updates.into_iter().filter_map(update).collect()),
                    _ => Err(Deaf::Fault(TELEGRAM.strange())),
                }
            }
            (200..=299, _) => Err(Deaf::Fault(TELEGRAM.strange())),
            _ => Err(Deaf::Fault(TELEGRAM.refused(&reply))),
        }
    }

    /// Writes to a chat, as plain text.
    ///
    /// # Errors
    /// [`ChannelFault`].
    pub async fn say(&self, chat: i64, words: &str) -> Result<(), ChannelFault> {
        let body = json!({
            "chat_id": chat,
            "text": text::lines(&censor::passed(words), LETTERS_MAX, char::len_utf16),
            "link_preview_options": { "is_disabled": true },
        });
        self.done("sendMessage", &body).await
    }

    /// Takes a message out of a chat: in a private one a bot may, for two days.
    ///
    /// # Errors
    /// [`ChannelFault`].
    pub async fn delete(&self, chat: i64, message: i64) -> Result<(), ChannelFault> {
        self.done("deleteMessage", &json!({ "chat_id": chat, "message_id": message })).await
    }

    async fn done(&self, method: &str, body: &Value) -> Result<(), ChannelFault> {
        let reply = self.call(method, body).await?;
        match (reply.status, provider::json(&reply)) {
            (200, Some(said)) if said["ok"] == true => Ok(()),
            (200..=299, _) => Err(TELEGRAM.strange()),
            _ => Err(TELEGRAM.refused(&reply)),
        }
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Received, ChannelFault> {
        let url = request::below(&self.server, "/bot", &self.token, &format!("/{method}"));
        TELEGRAM.ask(&self.outside, Call::post(url, "application/json", provider::open(body))).await
    }
}

/// "can't use getUpdates method while webhook is active".
fn says_webhook(said: &Value) -> bool {
    said["description"].as_str().is_some_and(|text| text.contains("webhook"))
}

/// None where it has no number: then nobody can confirm it, and it is none of Telegram's.
fn update(mut update: Value) -> Option<Heard> {
    let number = update["update_id"].as_i64()?;
    let message = update.get_mut("message").map(Value::take);
    Some(Heard { update: number, spoken: message.and_then(spoken) })
}

fn spoken(mut message: Value) -> Option<Spoken> {
    let Value::String(text) = message.get_mut("text")?.take() else { return None };
    let text = Secret::new(text);
    let (chat, from) = (&message["chat"], &message["from"]);
    let foreign = ["forward_origin", "forward_date", "edit_date", "sender_chat", "via_bot"];
    let own = from["is_bot"] == false && foreign.iter().all(|key| message.get(key).is_none());
    Some(Spoken {
        message: message["message_id"].as_i64()?,
        chat: chat["id"].as_i64()?,
        from: from["id"].as_i64()?,
        private: chat["type"] == "private",
        own,
        at: Timestamp::from_second(message["date"].as_i64()?).ok()?,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Value {
        json!({ "update_id": 7, "message": {
            "message_id": 1, "date": 1_800_000_000, "text": "/status",
            "chat": { "id": 5, "type": "private" }, "from": { "id": 5, "is_bot": false },
        }})
    }

    #[test]
    fn a_message_is_read_and_what_is_none_has_its_number_only() {
        let heard = update(good()).unwrap();
        let spoken = heard.spoken.unwrap();
        assert_eq!((heard.update, spoken.chat, spoken.private, spoken.own), (7, 5, true, true));
        for (key, value) in [
            ("text", json!(null)),
            ("text", json!(["/pause"])),
            ("chat", json!({ "id": "5", "type": "private" })),
            ("from", json!({})),
            ("date", json!(i64::MAX)),
            ("date", json!(-1.5)),
            ("message_id", json!({})),
        ] {
            let mut strange = good();
            strange["message"][key] = value;
            let heard = update(strange).unwrap();
            assert!(heard.update == 7 && heard.spoken.is_none(), "{key}");
        }
        for none in [json!([]), json!("x"), json!(null), json!({}), json!([good()])] {
            assert!(update(json!({ "update_id": 7, "message": none })).unwrap().spoken.is_none());
        }
        let edited = json!({ "update_id": 8, "edited_message": good()["message"] });
        assert!(update(edited).unwrap().spoken.is_none());
        for none in [json!(null), json!([]), json!({ "update_id": "7" }), json!(7)] {
            assert!(update(none).is_none());
        }
    }

    /// Whatever stands anywhere in an update, reading it ends in a message or in none.
    #[test]
    fn no_value_anywhere_stops_the_reading() {
        let long = "x".repeat(100_000);
        let values = [
            json!(null),
            json!(true),
            json!([]),
            json!([[]]),
            json!({}),
            json!(""),
            json!(long),
            json!(-1),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
            json!({ "id": { "id": 1 } }),
            json!("\u{0}\u{202e}"),
        ];
        let places = [
            "/update_id",
            "/message",
            "/message/message_id",
            "/message/date",
            "/message/text",
            "/message/chat",
            "/message/chat/id",
            "/message/chat/type",
            "/message/from",
            "/message/from/id",
            "/message/from/is_bot",
        ];
        let mut read = 0;
        for (place, value) in places.iter().flat_map(|place| values.iter().map(move |value| (place, value))) {
            let mut strange = good();
            *strange.pointer_mut(place).unwrap() = value.clone();
            let heard = update(strange);
            read += usize::from(heard.is_some_and(|heard| heard.spoken.is_some_and(|s| s.own && s.private)));
        }
        // A text may be any text, and numbers any number.
        assert!((3..30).contains(&read), "{read}");
    }

    #[test]
    fn what_another_one_wrote_is_not_this_person_s_own() {
        for (key, value) in [
            ("forward_origin", json!({ "type": "user" })),
            ("edit_date", json!(1_800_000_001)),
            ("sender_chat", json!({ "id": -100 })),
            ("via_bot", json!({ "id": 9 })),
            ("from", json!({ "id": 5, "is_bot": true })),
            ("from", json!({ "id": 5 })),
        ] {
            let mut message = good();
            message["message"][key] = value;
            assert!(!update(message).unwrap().spoken.unwrap().own, "{key}");
        }
    }
}
