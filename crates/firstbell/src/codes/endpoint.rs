//! Codes from an address, over encryption or from this machine itself: asked once, at the last moment.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::digits;
use crate::ports::{Call, CodeSource, Http, Soon};

pub(super) struct Endpoint<'a> {
    pub(super) url: &'a Secret,
    pub(super) http: &'a dyn Http,
}

impl CodeSource for Endpoint<'_> {
    fn code(&self) -> Soon<'_, Result<Secret, Failure>> {
        Box::pin(self.ask())
    }

    fn is_person(&self) -> bool {
        false
    }
}

impl Endpoint<'_> {
    async fn ask(&self) -> Result<Secret, Failure> {
        let cannot = |why: String| {
            digits::failed(format!("the address under totp.url {why}"), "See that it answers: curl it.")
        };
        let call = Call { headers: vec![("accept", "text/plain")], ..Call::get(self.url.clone()) };
        let reply =
            self.http.send(call).await.map_err(|fault| cannot(format!("did not answer: {}", fault.why)))?;
        if reply.status != 200 {
            return Err(cannot(format!("answered with HTTP {}", reply.status)));
        }
        let body = reply.body.expose();
        if body.len() as u64 > digits::BYTES_MAX {
            return Err(cannot("gave far more than a code".into()));
        }
        digits::read(body, "the address under totp.url")
    }
}
