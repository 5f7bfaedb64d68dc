//! E-mail: one plain letter to each recipient, handed to a server of the owner's provider (RFC 5321, 8314).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter};

use super::kind::{Far, Keys, Kind, Outside, Sources};
use super::request;
use super::smtp::{self, Protection};
use super::text;
use crate::ports::{ChannelFault, Message, Receipt, Soon};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["host", "port", "tls", "user", "password", "from", "to", "authority"];

/// A subject that a phone shows in two lines.
const SUBJECT_MAX: usize = 150;
/// Far more than a notice has.
const LETTERS_MAX: usize = 20_000;

#[derive(Debug)]
struct Email {
    server: smtp::Server,
    from: Mailbox,
    to: Vec<Address>,
}

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    let host = section.required("host");
    let protection =
        section.parsed("tls", |text| match text {
            "implicit" => Ok(Protection::Implicit),
            "starttls" => Ok(Protection::StartTls),
            "none" => Ok(Protection::None),
            _ => Err("is not known; known: implicit (port 465), starttls (587), none (to this machine only)"
                .into()),
        });
    let protection = protection.unwrap_or(Protection::Implicit);
    let port = section.number("port", 1).map(u16::try_from);
    if port.is_some_and(|port| port.is_err()) {
        section.fault("port is at most 65535");
    }
    let port = port.and_then(Result::ok).unwrap_or(protection.port());
    // A name is never taken for this machine: whoever answers for names decides where it leads.
    let here = host.as_deref().and_then(|h| h.parse::<IpAddr>().ok()).is_some_and(|a| a.is_loopback());
    if protection == Protection::None && !here {
        section.fault("tls = \"none\" is for a server on this machine, by its number: 127.0.0.1");
    }
    let user = section.text("user");
    if user.is_some() {
        sources.required(section, "password");
    }
    let from = section.parsed("from", |t| t.parse::<Mailbox>().map_err(|_| not_an_address()));
    let to = section.texts("to", |t| t.parse::<Address>().map_err(|_| not_an_address()));
    if !section.asked("from") || to.as_ref().is_none_or(Vec::is_empty) {
        section.fault("needs from = \"…\" and to = [\"…\"]");
    }
    let authority = section.parsed("authority", |path| match Path::new(path).is_absolute() {
        true => Ok(PathBuf::from(path)),
        false => Err("must be an absolute path of a certificate authority in PEM form".to_owned()),
    });
    let server = smtp::Server { host: host?, port, protection, user, authority };
    Some(Box::new(Email { server, from: from?, to: to? }))
}

fn not_an_address() -> String {
    "must be an e-mail address".into()
}

impl Kind for Email {
    fn far(&self, _keys: &Keys) -> Far {
        Far::Mail(self.server.host.clone(), self.server.port)
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        keys: &'a Keys,
        outside: &'a Outside<'a>,
    ) -> Soon<'a, Result<Receipt, ChannelFault>> {
        Box::pin(async move {
            let letter = self.letter(message, outside.clock.now()).formatted();
            let password = keys.maybe("password");
            smtp::hand_over(&self.server, password, &self.from.email, &self.to, &letter).await?;
            Ok(Receipt::Accepted)
        })
    }
}

impl Email {
    /// The letter as it goes out; what is no ASCII is encoded by the library (RFC 2047, 2045).
    fn letter(&self, message: &Message, now: Timestamp) -> Letter {
        let domain = self.from.email.domain();
        let thread = request::id(&Message {
            severity: firstbell_core::notice::Severity::Information,
            title: String::new(),
            body: String::new(),
            over: false,
            incident: message.incident.clone(),
        });
        let own =
            |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let letter = Letter::builder()
            .from(self.from.clone())
            // What looks like an encoded word already would be read as one.
            .subject(text::line(&message.title, SUBJECT_MAX, char::len_utf16).replace("=?", "= ?"))
            .date(system_time(now))
            .message_id(Some(format!("<{}.{}@{domain}>", request::id(message), now.as_nanosecond())))
            // Letters of one incident stand together.
            .references(format!("<{thread}@{domain}>"))
            // No holiday notice answers a machine (RFC 3834).
            .raw_header(own("Auto-Submitted", "auto-generated"))
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::Base64);
        let letter = self.to.iter().fold(letter, |letter, to| letter.to(Mailbox::new(None, to.clone())));
        let body = text::lines(&message.body, LETTERS_MAX, char::len_utf16);
        letter.body(body).expect("it has a sender, a recipient and plain text")
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}
