//! What every kind of sink is to the shelf: it reads its own keys, and writes with what it is handed.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::token::Token;
use jiff::Timestamp;
use serde_json::Value;

use crate::http::HyperHttp;
use crate::ports::{Call, Clock, Delivery, Http, Received, Soon};
use crate::secrets::Source;
use crate::shape::{Format, Template, shape};
use crate::written::Section;

/// How long one look at a sink, and one delivery, may take.
pub const TIME: Duration = Duration::from_secs(10);

/// Why a sink did not take a token, in our own words: no address with a secret in it, and nothing of what the other side said.
#[derive(Debug)]
pub(super) struct Fault {
    /// What happened, to be read after the sink's name.
    pub(super) why: String,
    /// What the owner can do.
    pub(super) cure: String,
}

impl Fault {
    pub(super) fn new(why: impl Into<String>, cure: impl Into<String>) -> Fault {
        Fault { why: why.into(), cure: cure.into() }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault { why: failure.to_string(), cure: failure.cure() }
    }
}

/// What a sink works with.
pub(super) struct Tools<'a> {
    pub(super) keys: Vec<(String, Secret)>,
    pub(super) http: &'a dyn Http,
    pub(super) clock: &'a dyn Clock,
}

impl Tools<'_> {
    /// One of its secrets, if it has it.
    pub(super) fn key(&self, name: &str) -> Option<&Secret> {
        self.keys.iter().find(|(own, _)| own == name).map(|(_, secret)| secret)
    }

    /// Sends one request, over a connection that trusts this authority where there is one.
    pub(super) async fn send(&self, call: Call, authority: Option<&Path>) -> Result<Received, Fault> {
        let sent = match authority {
            None => self.http.send(call).await,
            Some(path) => {
                let own = HyperHttp::trusting(path).map_err(|why| {
                    let cure = "Name a PEM file with the certificate that signed the server's.";
                    Fault::new(format!("its authority {} cannot be used: {why}", path.display()), cure)
                })?;
                own.send(call).await
            }
        };
        sent.map_err(|fault| {
            let cure = match fault.tls {
                Some(_) => "Name the authority that signed its certificate: authority = \"/path\" in the sink's table.",
                None => REACH,
            };
            Fault::new(format!("cannot be reached: {}", fault.why), cure)
        })
    }
}

/// What to do about a server that does not answer.
pub(super) const REACH: &str =
    "See whether its server runs and this machine reaches it. It is tried again by itself.";

/// The result of one piece of work.
pub(super) type Done<'a> = Soon<'a, Result<(), Fault>>;

/// A file with a token, and who may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Where it is.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// The user whom it is given to, where that is another one.
    pub owner: Option<u32>,
}

/// One kind of sink, configured.
pub(super) trait Kind: Debug {
    /// Where it writes, for people.
    fn place(&self) -> String;
    /// Proves that a write will succeed.
    fn check<'a>(&'a self, tools: &'a Tools<'a>) -> Done<'a>;
    /// Writes the token.
    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, tools: &'a Tools<'a>) -> Done<'a>;
    /// The file that it leaves, where it leaves one on this machine.
    fn handed(&self) -> Option<Handed> {
        None
    }
    /// Whether the token stays there and can be looked after: to deliver the same again then writes only what is missing.
    fn is_kept(&self) -> bool {
        true
    }
}

/// The table of a sink while it is read.
pub(super) struct Table<'s, 't> {
    pub(super) section: &'s mut Section<'t>,
    pub(super) account: &'s str,
    pub(super) secrets: Vec<(String, Source)>,
}

impl Table<'_, '_> {
    /// A secret that must be there: in the vault, unless the table says where.
    pub(super) fn secret(&mut self, key: &str) {
        self.secrets.push((key.to_owned(), Source::read(self.section, key)));
    }

    /// A secret that is there where the table says so.
    pub(super) fn secret_if_written(&mut self, key: &str) {
        let source = Source::read(self.section, key);
        if self.section.asked(key) {
            self.secrets.push((key.to_owned(), source));
        }
    }

    /// A text with `{account}` in it, or the usual one.
    pub(super) fn named(&mut self, key: &str, usual: &str) -> String {
        let read = |text: &str| match text.is_empty() || text.chars().any(char::is_control) {
            true => Err("must be a text of one line".to_owned()),
            false => Ok(text.replace("{account}", self.account)),
        };
        let written = self.section.parsed(key, read);
        written.unwrap_or_else(|| usual.replace("{account}", self.account))
    }

    /// The file of an authority.
    pub(super) fn authority(&mut self) -> Option<PathBuf> {
        self.section.parsed("authority", |text| match Path::new(text).is_absolute() {
            true => Ok(PathBuf::from(text)),
            false => Err("must be an absolute path".into()),
        })
    }
}

/// The form in which a sink writes.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Known(Format),
    Own(Template),
}

impl Form {
    pub(super) fn read(section: &mut Section<'_>, usual: Format) -> Form {
        let template = section.parsed("template", Template::parse);
        let written = section.parsed("format", |name| match name {
            "template" => Ok(None),
            name => Format::parse(name).map(Some).map_err(|why| format!("{why}, template")),
        });
        let (asked, own) = (section.asked("format"), section.asked("template"));
        match (written, template) {
            (Some(None), None) if !own => section.fault("format is template, and there is no template"),
            (Some(Some(_)), _) if own => section.fault("a template is for format = \"template\""),
            (None, Some(template)) if !asked => return Form::Own(template),
            (Some(None), Some(template)) => return Form::Own(template),
            (Some(Some(format)), _) => return Form::Known(format),
            _ => {}
        }
        Form::Known(usual)
    }

    pub(super) fn fill(&self, delivery: &Delivery<'_>) -> Secret {
        match self {
            Form::Known(format) => shape(*format, delivery),
            Form::Own(template) => template.fill(delivery),
        }
    }
}

/// Which token a place holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) generation: u64,
    pub(super) issued: Timestamp,
}

impl Held {
    /// Of a card, as [`crate::shape`] writes it.
    pub(super) fn of(card: &Value) -> Option<Held> {
        let generation = &card["generation"];
        let generation = generation.as_u64().or_else(|| generation.as_str()?.parse().ok())?;
        Some(Held { generation, issued: card["issued"].as_str()?.parse().ok()? })
    }

    /// Whether this token must not take its place. Both the generation and the moment must be later ones: a store that was
    /// begun anew counts from one again, and a clock that once was wrong must not lock a place for ever.
    pub(super) fn is_newer(&self, token: &Token) -> bool {
        self.generation > token.generation && self.issued.as_second() >= token.life.issued.as_second()
    }
}

#[cfg(test)]
mod tests {
    use firstbell_core::token::{Access, Flush, Life};

    use super::*;

    #[test]
    fn what_is_held_gives_way_unless_it_is_newer_by_count_and_clock() {
        let token = |generation, at: &str| {
            let access = Access::parse(Secret::new("abcdefgh".into())).unwrap();
            let life = Life::of(at.parse().unwrap(), Flush { begins_h: 5, ends_h: 8 });
            Token { access, api_key: "key".into(), generation, life }
        };
        let held = serde_json::json!({ "generation": 5, "issued": "2026-11-23T08:30:00+05:30" });
        let held = Held::of(&held).unwrap();
        assert!(held.is_newer(&token(4, "2026-11-22T03:00:00Z")));
        assert!(!held.is_newer(&token(5, "2026-11-23T03:00:00.9Z")), "the same");
        assert!(!held.is_newer(&token(6, "2026-11-24T03:00:00Z")));
        assert!(!held.is_newer(&token(1, "2026-11-24T03:00:00Z")), "a store that was begun anew");
        assert!(!held.is_newer(&token(6, "2026-11-22T03:00:00Z")), "a clock that was wrong");
    }
}
