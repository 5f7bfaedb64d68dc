//! SMS in India by MSG91's flow API, with a template that is registered with the operators (DLT)
//! (<https://docs.msg91.com/sms/send-sms>, <https://control.msg91.com/apidoc/textsms/send-sms-flow.php>).

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::kind::{Far, Keys, Kind, Sources};
use super::provider::{self, Provider, Web};
use super::request;
use super::template::{Escape, Template};
use super::text;
use crate::ports::{Call, ChannelFault, Message, Receipt, Received};
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["authkey", "template_id", "to", "variables", "server"];

/// What a variable of a registered template may hold. Operators refuse more; MSG91 does not document what it does.
const LETTERS_MAX: usize = 30;

const MSG91: Provider = Provider {
    name: "MSG91",
    credential: "Store the account's authkey anew, and see that this machine's address is allowed where addresses are restricted.",
    place: "See that server is right.",
    form: "See that template_id is that of an approved flow, and that its variables have the names of the configuration.",
};

#[derive(Debug)]
struct Msg91 {
    server: Origin,
    template_id: String,
    to: Vec<String>,
    variables: Vec<(String, Template)>,
}

pub(super) fn read(section: &mut Section<'_>, sources: &mut Sources) -> Option<Box<dyn Kind>> {
    sources.required(section, "authkey");
    let template_id = section.required("template_id");
    let number = |text: &str| match (10..=15).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
    {
        true => Ok(text.to_owned()),
        false => {
            Err("must be numbers with the country and without a plus, such as \"919812345678\"".to_owned())
        }
    };
    let to = section.texts("to", number).unwrap_or_default();
    if to.is_empty() {
        section.fault("to names no number");
    }
    let variables = section.pairs("variables", |_, text| Template::read(text, &[]));
    let server = request::server(section, "https://control.msg91.com");
    Some(Box::new(Msg91 { server, template_id: template_id?, to, variables }))
}

impl Web for Msg91 {
    const PROVIDER: Provider = MSG91;

    fn far(&self, _keys: &Keys) -> Far {
        Far::Web(self.server.clone())
    }

    fn request(&self, message: &Message, keys: &Keys, _now: Timestamp) -> Result<Call, ChannelFault> {
        let one = |to: &String| -> Value {
            let mut recipient = Map::from_iter([("mobiles".to_owned(), json!(to))]);
            for (name, template) in &self.variables {
                let value = template.open_fill(message, Escape::Line);
                recipient.insert(name.clone(), text::cut(&value, LETTERS_MAX, char::len_utf16).into());
            }
            recipient.into()
        };
        let recipients: Vec<_> = self.to.iter().map(one).collect();
        let body = json!({ "template_id": self.template_id, "short_url": "0", "recipients": recipients });
        let url = Secret::new(self.server.join("/api/v5/flow"));
        let mut call = Call::post(url, "application/json", provider::open(&body));
        call.own_headers = vec![("authkey".into(), keys.of("authkey").clone())];
        Ok(call)
    }

    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault> {
        // A refusal comes with 200 too.
        match provider::json(reply) {
            Some(reply) if reply["type"] == "success" => Ok(Receipt::Accepted),
            Some(reply) if reply["type"] == "error" => {
                Err(MSG91.fault("refused the message", MSG91.form, false))
            }
            _ => Err(MSG91.strange()),
        }
    }
}
