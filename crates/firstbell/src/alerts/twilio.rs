//! SMS by Twilio's Messages API (<https://www.twilio.com/docs/messaging/api/message-resource>).

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use jiff::Timestamp;
use url::form_urlencoded::Serializer;

use super::kind::{Far, Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::text;
use crate::ports::{Call, ChannelFault, FORM, Message, Receipt, Received};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["account_sid", "auth_token", "api_key", "from", "to", "server"];

/// Two parts of an SMS in plain letters. Twilio itself takes 1,600.
const LETTERS_MAX: usize = 300;

const TWILIO: Provider = Provider {
    name: "Twilio",
    credential: "Store the auth token of the account (or of the API key) anew; see that the account is not suspended.",
    place: "See that account_sid is right.",
    form: "See that from is a sender of yours, and that to is a number that the account may send to.",
};

#[derive(Debug)]
struct Twilio {
    server: Origin,
    account_sid: String,
    user: String,
    from: String,
    to: String,
}

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    sources.required(section, "auth_token");
    let account_sid = section.parsed("account_sid", |text| read_sid(text, "AC"));
    let api_key = section.parsed("api_key", |text| read_sid(text, "SK"));
    let (from, to) = (section.required("from"), section.parsed("to", number));
    for key in ["account_sid", "to"] {
        if !section.asked(key) {
            section.fault(&format!("{key} is missing"));
        }
    }
    let server = request::server(section, "https://api.twilio.com");
    let account_sid = account_sid?;
    let user = api_key.unwrap_or_else(|| account_sid.clone());
    Some(Box::new(Twilio { server, account_sid, user, from: from?, to: to? }))
}

fn read_sid(text: &str, prefix: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix(prefix)
        .is_some_and(|r| r.len() == 32 && r.bytes().all(|b| b.is_ascii_alphanumeric()));
    if rest { Ok(text.to_owned()) } else { Err(format!("must be {prefix} and 32 letters and digits")) }
}

/// A number in the form of E.164.
fn number(text: &str) -> Result<String, String> {
    let digits = text
        .strip_prefix('+')
        .is_some_and(|d| (8..=15).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()));
    if digits { Ok(text.to_owned()) } else { Err("must be a number such as \"+919812345678\"".into()) }
}

impl Web for Twilio {
    const PROVIDER: Provider = TWILIO;

    fn far(&self, _keys: &Keys) -> Far {
        Far::Web(self.server.clone())
    }

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        // A messaging service is a sender too, under another key.
        let from = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = Serializer::new(String::new())
            .append_pair("To", &self.to)
            .append_pair(from, &self.from)
            .append_pair("Body", &text::short(message, LETTERS_MAX))
            .finish();
        let path = format!("/2010-04-01/Accounts/{}/Messages.json", self.account_sid);
        let mut call = Call::post(Secret::new(self.server.join(&path)), FORM, Secret::new(form));
        call.authorization = Some(request::basic(&self.user, keys.of("auth_token")));
        Ok(call)
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        match provider::json(reply) {
            Some(reply) if reply["status"] == "failed" || reply["status"] == "undelivered" => {
                Err(TWILIO.fault("could not send it on", TWILIO.form, false))
            }
            Some(reply) if reply["sid"].is_string() => Ok(Receipt::Accepted),
            _ => Err(TWILIO.strange()),
        }
    }

    /// "Fetch a Message resource": the carrier's word on it, where there is one.
    fn proof(&self, taken: &Received, keys: &Keys) -> Option<Call> {
        let taken = provider::json(taken)?;
        let sid = taken["sid"]
            .as_str()
            .and_then(|sid| read_sid(sid, "SM").or_else(|_| read_sid(sid, "MM")).ok())?;
        let path = format!("/2010-04-01/Accounts/{}/Messages/{sid}.json", self.account_sid);
        let mut call = Call::get(Secret::new(self.server.join(&path)));
        call.authorization = Some(request::basic(&self.user, keys.of("auth_token")));
        Some(call)
    }

    fn proven(&self, reply: &Received) -> Option<Result<Receipt, ChannelFault>> {
        match provider::json(reply)?["status"].as_str()? {
            "delivered" | "read" => Some(Ok(Receipt::Delivered)),
            "undelivered" | "failed" => {
                Some(Err(TWILIO.fault("could not deliver it: the carrier refused it", TWILIO.form, true)))
            }
            _ => None,
        }
    }
}
