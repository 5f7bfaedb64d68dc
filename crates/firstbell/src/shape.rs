//! The forms in which a token is written for other programs; the same for a sink's file and for `firstbell token`.

use firstbell_core::secret::Secret;
use serde::Serialize;

use crate::ports::Delivery;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The token and a line feed.
    Plain,
    /// One line of JSON.
    Json,
    /// `KITE_API_KEY=…` and `KITE_ACCESS_TOKEN=…`, as shells and service managers read them.
    Env,
    /// The value of an `Authorization` header.
    Header,
}

impl Format {
    /// Reads a form's name.
    ///
    /// # Errors
    /// Names those there are.
    pub fn parse(name: &str) -> Result<Format, String> {
        match name {
            "plain" => Ok(Format::Plain),
            "json" => Ok(Format::Json),
            "env" => Ok(Format::Env),
            "header" => Ok(Format::Header),
            _ => Err("is not known; known formats: plain, json, env, header".into()),
        }
    }
}

/// The JSON form: version 1, stable.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
struct Card<'a> {
    version: u32,
    account: &'a str,
    user_id: &'a str,
    api_key: &'a str,
    access_token: &'a str,
    generation: u64,
    issued: String,
    trusted_until: String,
}

/// The token in this form, with its last line feed.
pub fn shape(format: Format, delivery: &Delivery<'_>) -> Secret {
    let token = delivery.token;
    let text = token.access.secret().expose();
    Secret::new(match format {
        Format::Plain => format!("{text}\n"),
        Format::Env => format!("KITE_API_KEY={}\nKITE_ACCESS_TOKEN={text}\n", delivery.api_key),
        Format::Header => format!("token {}:{text}\n", delivery.api_key),
        Format::Json => {
            let card = Card {
                version: 1,
                account: delivery.account,
                user_id: delivery.user_id,
                api_key: delivery.api_key,
                access_token: text,
                generation: token.generation,
                issued: india(token.life.issued),
                trusted_until: india(token.life.trusted_until),
            };
            let mut line = serde_json::to_string(&card).expect("texts and numbers are JSON");
            line.push('\n');
            line
        }
    })
}

/// The minute of a moment, as clocks in India show it.
pub fn clock(at: jiff::Timestamp) -> String {
    firstbell_core::token::ist().to_datetime(at).time().strftime("%H:%M").to_string()
}

/// A moment as people in India's markets read it, to the second.
pub fn india(at: jiff::Timestamp) -> String {
    let second = jiff::Timestamp::from_second(at.as_second()).unwrap_or(at);
    second.display_with_offset(firstbell_core::token::ist()).to_string()
}
