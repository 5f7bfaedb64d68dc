//! A text with places for a message's parts and a channel's secrets; what is put in cannot leave its place.

use firstbell_core::secret::Secret;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::kind::Keys;
use super::text;
use crate::ports::Message;

/// The parts of a message that have a place.
const PARTS: [&str; 6] = ["title", "body", "text", "severity", "incident", "over"];

/// What `{text}` is cut to: two parts of an SMS in plain letters.
const TEXT_MAX: usize = 300;
/// What `{title}` and `{body}` are cut to.
const LETTERS_MAX: usize = 4000;

/// How a value is written so that it stays one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Inside a JSON string.
    Json,
    /// Inside a form or an address.
    Form,
    /// In one line.
    Line,
    /// As it is, over several lines.
    Plain,
}

/// A text that was looked through: each place in it is known.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Fixed(String),
    Place(String),
}

impl Template {
    /// Reads a text with places such as `{title}`; a brace with anything else behind it is a brace.
    pub(super) fn read(text: &str, secrets: &[String]) -> Result<Template, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find('{') {
            let word: String =
                rest[at + 1..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let end = at + 1 + word.len();
            if word.is_empty() || !rest[end..].starts_with('}') {
                pieces.push(Piece::Fixed(rest[..=at].to_owned()));
                rest = &rest[at + 1..];
                continue;
            }
            if !PARTS.contains(&word.as_str()) && !secrets.contains(&word) {
                let known = PARTS.iter().map(|p| (*p).to_owned()).chain(secrets.iter().cloned());
                let known: Vec<_> = known.map(|p| format!("{{{p}}}")).collect();
                return Err(format!("has a place {{{word}}} that is not known; known: {}", known.join(", ")));
            }
            pieces.push(Piece::Fixed(rest[..at].to_owned()));
            pieces.push(Piece::Place(word));
            rest = &rest[end + 1..];
        }
        pieces.push(Piece::Fixed(rest.to_owned()));
        Ok(Template(pieces))
    }

    /// The text with a message's parts and a channel's secrets in their places.
    pub(super) fn fill(&self, message: &Message, keys: &Keys, escape: Escape) -> Secret {
        let mut filled = Zeroizing::new(String::with_capacity(256));
        for piece in &self.0 {
            match piece {
                Piece::Fixed(text) => filled.push_str(text),
                Piece::Place(name) => match keys.maybe(name) {
                    Some(secret) => filled.push_str(&written(secret.expose(), escape)),
                    None => filled.push_str(&written(&part(message, name), escape)),
                },
            }
        }
        Secret::new(std::mem::take(&mut *filled))
    }

    /// The same for a text without secrets.
    pub(super) fn open_fill(&self, message: &Message, escape: Escape) -> String {
        let one = |piece: &Piece| match piece {
            Piece::Fixed(text) => text.clone(),
            Piece::Place(name) => written(&part(message, name), escape).to_string(),
        };
        self.0.iter().map(one).collect()
    }
}

fn part(message: &Message, name: &str) -> String {
    match name {
        "title" => text::line(&message.title, LETTERS_MAX, char::len_utf16),
        "body" => text::lines(&message.body, LETTERS_MAX, char::len_utf16),
        "text" => text::short(message, TEXT_MAX),
        "severity" => message.severity.as_str().to_owned(),
        "over" => message.over.to_string(),
        _ => text::line(&message.incident, LETTERS_MAX, char::len_utf16),
    }
}

fn written(value: &str, escape: Escape) -> Zeroizing<String> {
    Zeroizing::new(match escape {
        Escape::Json => {
            let quoted = Zeroizing::new(serde_json::Value::from(value).to_string());
            quoted[1..quoted.len() - 1].to_owned()
        }
        Escape::Form => byte_serialize(value.as_bytes()).collect(),
        Escape::Line => text::line(value, usize::MAX, char::len_utf8),
        Escape::Plain => value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use firstbell_core::notice::Severity;

    use super::*;

    #[test]
    fn what_is_put_in_stays_in_its_place() {
        let message = Message {
            severity: Severity::Warning,
            title: "a\"b\\ &=c".into(),
            body: "one\ntwo {key}".into(),
            incident: "i".into(),
            over: false,
        };
        let keys = Keys(vec![("key".into(), Secret::new("k\"&".into()))]);
        let fill = |text: &str, escape| {
            let template = Template::read(text, &["key".to_owned()]).unwrap();
            template.fill(&message, &keys, escape).expose().to_owned()
        };
        let json = fill(r#"{"t":"{title}","b":"{body}","k":"{key}"}"#, Escape::Json);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read, serde_json::json!({ "t": "a\"b\\ &=c", "b": "one\ntwo {key}", "k": "k\"&" }));
        assert_eq!(fill("t={title}&k={key}", Escape::Form), "t=a%22b%5C+%26%3Dc&k=k%22%26");
        assert_eq!(fill("{body} {severity}", Escape::Line), "one two {key} warning");
        let fault = Template::read("{titel}", &["key".to_owned()]).unwrap_err();
        assert!(fault.contains("{titel}") && fault.contains("{key}"), "{fault}");
        assert!(Template::read("{ {} {1}", &[]).is_ok());
    }
}
