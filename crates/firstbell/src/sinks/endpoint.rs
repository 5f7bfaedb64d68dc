//! The token to an HTTP endpoint of the owner's, as JSON, signed by Standard Webhooks so that the receiver can check it.
//!
//! The body is the JSON form of `firstbell token`. The headers are those of the webhook channel: `webhook-id` (the account, the
//! generation and the second of issue: the same token sent again has the same), `webhook-timestamp`, `webhook-signature`. Any answer of 2xx is a success.

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use std::path::PathBuf;
use tokio::net::TcpStream;
use url::Url;

use super::kind::{Done, Fault, Kind, REACH, Table, Tools};
use crate::ports::{Call, Delivery};
use crate::shape::card;
use crate::signature;

pub(super) const KEYS: &[&str] = &["url", "key", "authority", "probe"];

#[derive(Debug)]
struct Endpoint {
    url: Url,
    authority: Option<PathBuf>,
    probe: bool,
    account: String,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    let url = table.section.parsed("url", |text| {
        let wrong =
            "must be an address that begins with https, or with http://127.0.0.1, and holds no password";
        let url = Url::parse(text).map_err(|_| wrong.to_owned())?;
        let good = Origin::of(&url).is_some() && url.username().is_empty() && url.password().is_none();
        if good && url.fragment().is_none() { Ok(url) } else { Err(wrong.to_owned()) }
    });
    if !table.section.asked("url") {
        table.section.fault("url is missing");
    }
    table.secret("key");
    let authority = table.authority();
    let probe = table.section.flag("probe").unwrap_or(false);
    let account = table.account.to_owned();
    Some(Box::new(Endpoint { url: url?, authority, probe, account }))
}

impl Endpoint {
    async fn send(&self, tools: &Tools<'_>, id: &str, body: Secret) -> Result<(), Fault> {
        let key = tools.key("key").expect("required when it was read");
        let own_headers = signature::headers(key, (id, tools.clock.now().as_second()), &body);
        let url = Secret::new(self.url.to_string());
        let call = Call { own_headers, ..Call::post(url, "application/json", body) };
        let status = tools.send(call, self.authority.as_deref()).await?.status;
        let cure = match status {
            200..=299 => return Ok(()),
            401 | 403 => "Give the receiver the same key as the sink, and the right time.",
            404 | 410 => "Mend the sink's url.",
            300..=399 => "It leads elsewhere, and that is not followed: mend the sink's url.",
            _ => "Look at the receiver's own log. It is tried again by itself.",
        };
        Err(Fault::new(format!("answered with HTTP {status}"), cure))
    }
}

impl Kind for Endpoint {
    fn place(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    /// Each delivery is a request that the receiver acts on: it is not sent again for nothing.
    fn is_kept(&self) -> bool {
        false
    }

    fn check<'a>(&'a self, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            if self.probe {
                let body = serde_json::json!({ "version": 1, "probe": true, "account": self.account });
                return self
                    .send(tools, &format!("{}-probe", self.account), Secret::new(body.to_string()))
                    .await;
            }
            let (host, port) = (self.url.host_str(), self.url.port_or_known_default());
            let (host, port) = host.zip(port).expect("checked when it was read");
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let connected = TcpStream::connect((host, port)).await;
            connected.map(drop).map_err(|e| Fault::new(format!("cannot be reached: {}", e.kind()), REACH))
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            // A store that was begun anew counts from one again.
            let (token, issued) = (delivery.token, delivery.token.life.issued.as_second());
            let id = format!("{}-{}-{issued}", delivery.account, token.generation);
            self.send(tools, &id, card(delivery)).await
        })
    }
}
