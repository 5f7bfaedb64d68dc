//! Any other gateway: one HTTP request of the owner's own shape, with the message and the secrets put into their places.

use std::cell::RefCell;

use firstbell_core::notice::Severity;
use firstbell_core::secret::Secret;
use jiff::Timestamp;

use super::kind::{Far, Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::template::{Escape, Template};
use crate::ports::{Call, ChannelFault, FORM, Message, Receipt, Received};
use crate::secrets::Source;
use crate::written::Section;

pub(super) const KEYS: &[&str] =
    &["method", "address", "content_type", "headers", "body", "answer", "secrets"];

const GATEWAY: Provider = Provider {
    name: "the gateway",
    credential: "Store the channel's secrets anew, and see the gateway's own documentation.",
    place: "See that address is right.",
    form: "See that body and headers are what the gateway documents.",
};

/// How a body is written.
const MEDIA: [(&str, Escape); 3] =
    [("application/json", Escape::Json), (FORM, Escape::Form), ("text/plain; charset=utf-8", Escape::Plain)];

#[derive(Debug)]
struct Gateway {
    address: Template,
    headers: Vec<(String, Template)>,
    body: Option<(&'static str, Escape, Template)>,
    answer: Option<String>,
}

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    for (name, table) in section.named("secrets") {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            table.fault("a secret's name has a-z and _ only");
        }
        sources.found.push((name, Source::of(table)));
    }
    let secrets: Vec<String> = sources.found.iter().map(|(name, _)| name.clone()).collect();
    let template = |text: &str| Template::read(text, &secrets);
    let get = section.parsed("method", |method| match method {
        "GET" => Ok(true),
        "POST" => Ok(false),
        _ => Err("must be GET or POST".to_owned()),
    });
    let get = get.unwrap_or(false);
    let address = section.parsed("address", |text| {
        let read = template(text)?;
        let sample = read.fill(&sample(), &samples(&secrets), Escape::Form);
        match request::address("address", &sample, &[]) {
            Ok(_) => Ok(read),
            Err(_) => Err("must be an https address, or http to this machine by its number".to_owned()),
        }
    });
    if !section.asked("address") {
        section.fault("address is missing");
    }
    let headers = section.pairs("headers", |name, text| match hyper::header::HeaderName::try_from(name) {
        Ok(_) => template(text),
        Err(_) => Err("is not a header's name".to_owned()),
    });
    let media = section.parsed("content_type", |text| {
        let found = MEDIA.into_iter().find(|(media, _)| media.split(';').next() == Some(text));
        found.ok_or_else(|| format!("is not known; known: application/json, {FORM}, text/plain"))
    });
    let (media, escape) = media.unwrap_or(MEDIA[0]);
    let body = section.parsed("body", |text| {
        let read = template(text)?;
        let filled = RefCell::new(read.open_fill(&sample(), escape));
        match escape == Escape::Json && serde_json::from_str::<serde_json::Value>(&filled.borrow()).is_err() {
            true => Err("is no JSON when its places are filled; put each place between quotes".to_owned()),
            false => Ok(read),
        }
    });
    if get == section.asked("body") {
        section.fault("a POST needs a body, and a GET has none");
    }
    let answer = section.text("answer");
    let body = body.map(|template| (media, escape, template));
    Some(Box::new(Gateway { address: address?, headers, body, answer }))
}

fn sample() -> Message {
    let text = || "x".to_owned();
    Message { severity: Severity::Warning, title: text(), body: text(), incident: text(), over: false }
}

fn samples(secrets: &[String]) -> Keys {
    Keys(secrets.iter().map(|name| (name.clone(), Secret::new("x".into()))).collect())
}

impl Web for Gateway {
    const PROVIDER: Provider = GATEWAY;

    fn far(&self, keys: &Keys) -> Far {
        Far::of(&self.address.fill(&sample(), keys, Escape::Form))
    }

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        // Looked at again: a secret or a text in the host's place would lead elsewhere.
        let url = request::address("address", &self.address.fill(message, keys, Escape::Form), &[])?;
        let mut call = match &self.body {
            None => Call::get(url),
            Some((media, escape, body)) => Call::post(url, media, body.fill(message, keys, *escape)),
        };
        let header =
            |(name, value): &(String, Template)| (name.clone(), value.fill(message, keys, Escape::Line));
        call.own_headers = self.headers.iter().map(header).collect();
        Ok(call)
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        match &self.answer {
            Some(answer) if !provider::says(reply, answer) => {
                let cure = "See what the gateway answers by hand; answer is the text that means yes.";
                Err(GATEWAY.fault("did not answer what means yes", cure, true))
            }
            _ => Ok(Receipt::Accepted),
        }
    }
}
