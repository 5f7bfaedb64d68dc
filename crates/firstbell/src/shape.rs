//! The forms in which a token is written for other programs; the same for a sink's file and for `firstbell token`.

use firstbell_core::secret::Secret;
use serde::Serialize;
use zeroize::Zeroizing;

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
    /// `api_key = "…"` and so on, a line for each of what JSON has.
    Toml,
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
            "toml" => Ok(Format::Toml),
            "header" => Ok(Format::Header),
            _ => Err("is not known; known formats: plain, json, env, toml, header".into()),
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

impl<'a> Card<'a> {
    fn of(delivery: &Delivery<'a>) -> Card<'a> {
        let token = delivery.token;
        Card {
            version: 1,
            account: delivery.account,
            user_id: delivery.user_id,
            api_key: delivery.api_key,
            access_token: token.access.secret().expose(),
            generation: token.generation,
            issued: india(token.life.issued),
            trusted_until: india(token.life.trusted_until),
        }
    }
}

/// The token in this form, with its last line feed.
pub fn shape(format: Format, delivery: &Delivery<'_>) -> Secret {
    let text = delivery.token.access.secret().expose();
    Secret::new(match format {
        Format::Plain => format!("{text}\n"),
        Format::Env => format!("KITE_API_KEY={}\nKITE_ACCESS_TOKEN={text}\n", delivery.api_key),
        Format::Header => format!("token {}:{text}\n", delivery.api_key),
        Format::Toml => toml::to_string(&Card::of(delivery)).expect("texts and numbers are TOML"),
        Format::Json => return card(delivery).followed_by("\n"),
    })
}

/// One line of JSON, without the line feed.
pub fn card(delivery: &Delivery<'_>) -> Secret {
    Secret::new(serde_json::to_string(&Card::of(delivery)).expect("texts and numbers are JSON"))
}

/// What a template may name, and what places with a value for each name are given.
pub const FIELDS: [&str; 7] =
    ["access_token", "api_key", "user_id", "account", "generation", "issued", "trusted_until"];

/// The value of one of [`FIELDS`].
pub fn field(name: &str, delivery: &Delivery<'_>) -> Secret {
    let card = Card::of(delivery);
    Secret::new(match name {
        "access_token" => card.access_token.to_owned(),
        "api_key" => card.api_key.to_owned(),
        "user_id" => card.user_id.to_owned(),
        "account" => card.account.to_owned(),
        "generation" => card.generation.to_string(),
        "issued" => card.issued,
        _ => card.trusted_until,
    })
}

/// A form of the owner's: text with fields in it, such as `{access_token}`; `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<(String, Option<&'static str>)>);

/// Far more than any program reads of a token.
const TEMPLATE_BYTES: usize = 4096;

impl Template {
    /// Reads one.
    ///
    /// # Errors
    /// What in it is no field, to be read after its name.
    pub fn parse(text: &str) -> Result<Template, String> {
        if text.len() > TEMPLATE_BYTES {
            return Err(format!("has more than {TEMPLATE_BYTES} bytes"));
        }
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            rest = match after.strip_prefix(brace) {
                Some(after) => {
                    plain.push_str(brace);
                    after
                }
                None => {
                    let inside = (brace == "{").then(|| after.split_once('}')).flatten();
                    let (name, after) =
                        inside.ok_or("has a brace that is alone; write {{ or }} for a brace itself")?;
                    let found = FIELDS.into_iter().find(|field| *field == name);
                    let field = found.ok_or_else(|| {
                        format!("names {{{name}}}, which is not known; known: {}", FIELDS.join(", "))
                    })?;
                    parts.push((std::mem::take(&mut plain), Some(field)));
                    after
                }
            };
        }
        plain.push_str(rest);
        parts.push((plain, None));
        if !parts.iter().any(|(_, field)| *field == Some("access_token")) {
            return Err("does not name {access_token}".into());
        }
        Ok(Template(parts))
    }

    /// The token in this form.
    pub fn fill(&self, delivery: &Delivery<'_>) -> Secret {
        let one = |(plain, name): &(String, Option<&'static str>)| {
            let value = name.map_or_else(|| Secret::new(String::new()), |name| field(name, delivery));
            Zeroizing::new([plain, value.expose()].concat())
        };
        let parts: Vec<Zeroizing<String>> = self.0.iter().map(one).collect();
        Secret::new(parts.iter().map(|part| part.as_str()).collect())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use firstbell_core::token::{Access, Flush, Life, Token};

    #[test]
    fn a_template_is_filled_in_and_a_wrong_one_refused() {
        let access = Access::parse(Secret::new("abcdefgh".into())).unwrap();
        let life = Life::of("2026-11-23T03:00:00Z".parse().unwrap(), Flush { begins_h: 5, ends_h: 8 });
        let token = Token { access, api_key: "key".into(), generation: 7, life };
        let delivery = Delivery { account: "main", api_key: "key", user_id: "AB1234", token: &token };
        let filled = |text: &str| Template::parse(text).unwrap().fill(&delivery).expose().to_owned();
        assert_eq!(filled("{{\"t\":\"{access_token}\"}}"), "{\"t\":\"abcdefgh\"}");
        assert_eq!(
            filled("{account} {user_id} {api_key}:{access_token}@{generation}\n{issued}"),
            "main AB1234 key:abcdefgh@7\n2026-11-23T08:30:00+05:30"
        );
        for wrong in
            ["{token}{access_token}", "{access_token", "access_token}", "{api_key}", "{access_token}{"]
        {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
        let toml: toml::Table = toml::from_str(shape(Format::Toml, &delivery).expose()).unwrap();
        assert_eq!(
            (toml["access_token"].as_str(), toml["generation"].as_integer()),
            (Some("abcdefgh"), Some(7))
        );
    }
}
