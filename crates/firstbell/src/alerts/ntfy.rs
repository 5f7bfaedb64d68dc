//! ntfy: a message to a topic, there or on one's own server (<https://docs.ntfy.sh/publish/>).

use data_encoding::BASE64;
use firstbell_core::notice::Severity;
use firstbell_core::secret::Secret;
use jiff::Timestamp;

use super::kind::{Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Received};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["address", "token"];

/// A longer message becomes an attachment. The documentation says 4,096 bytes.
const BYTES_MAX: usize = 4000;
/// A phone shows one line of it.
const TITLE_BYTES_MAX: usize = 120;

const NTFY: Provider = Provider {
    name: "ntfy",
    credential: "Store an access token that may write to the topic: firstbell secrets set --channel NAME token.",
    place: "Store the topic's whole address, such as https://ntfy.sh/a-name-that-nobody-guesses.",
    form: "See that the address is a topic's, without anything after its name.",
};

#[derive(Debug)]
struct Ntfy;

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    // Who knows a topic's name reads it and writes to it.
    sources.required(section, "address");
    sources.optional(section, "token");
    Some(Box::new(Ntfy))
}

impl Web for Ntfy {
    const PROVIDER: Provider = NTFY;

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        let (priority, tag) = match message.severity {
            _ if message.over => ("3", "white_check_mark"),
            Severity::Information => ("3", "information_source"),
            Severity::Warning => ("4", "warning"),
            Severity::Critical => ("5", "rotating_light"),
        };
        let body = Secret::new(text::lines(&message.body, BYTES_MAX, char::len_utf8));
        let url = request::address("address", keys.of("address"), &[])?;
        let mut call = Call::post(url, "text/plain; charset=utf-8", body);
        call.headers = vec![("priority", priority), ("tags", tag)];
        call.own_headers = vec![("title".into(), Secret::new(header(&message.title)))];
        call.authorization = keys.maybe("token").map(request::bearer);
        Ok(call)
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        match provider::json(reply) {
            Some(reply) if reply["id"].is_string() => Ok(Receipt::Accepted),
            _ => Err(NTFY.strange()),
        }
    }
}

/// A header's value in ASCII, by RFC 2047 where it is more.
fn header(title: &str) -> String {
    let title = text::line(title, TITLE_BYTES_MAX, char::len_utf8);
    let plain = title.bytes().all(|b| (b' '..=b'~').contains(&b)) && !title.contains("=?");
    if plain { title } else { format!("=?UTF-8?B?{}?=", BASE64.encode(title.as_bytes())) }
}
