//! The dead man's switch: an address of the owner's choice that hears when a morning begins, and how it went, so that a machine
//! that is dead is noticed from outside (healthchecks.io/docs/http_api: `/start`, success, `/fail`).

use firstbell_core::secret::Secret;

use crate::ports::{Call, Http};

const TRIES: usize = 3;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The morning begins.
    Start,
    /// The verdict is good.
    Good,
    /// The verdict is bad.
    Bad,
}

/// Where it is told. The address is a secret: whoever has it can tell lies.
#[derive(Clone, Debug)]
pub struct Switch(Secret);

impl Switch {
    /// Takes an address that is encrypted, or loopback.
    ///
    /// # Errors
    /// Says why not.
    pub fn parse(text: &str) -> Result<Switch, String> {
        let url = url::Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
        let local = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err("must be an https address".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must be an address without ? and #: /start and /fail are added to it".into());
        }
        Ok(Switch(Secret::new(url.as_str().trim_end_matches('/').to_owned())))
    }

    /// Tells it. Silence is what the other side waits for, so a fault here needs no other word than the log's.
    pub async fn tell(&self, http: &dyn Http, beat: Beat) {
        let url = match beat {
            Beat::Start => self.0.followed_by("/start"),
            Beat::Good => self.0.clone(),
            Beat::Bad => self.0.followed_by("/fail"),
        };
        // One that gets lost is a false alarm.
        for _ in 0..TRIES {
            match http.send(Call::get(url.clone())).await {
                Ok(reply) if (200..300).contains(&reply.status) => return,
                Ok(reply) => tracing::warn!(status = reply.status, "the dead man's switch was not taken"),
                Err(fault) => tracing::warn!(why = fault.why, "the dead man's switch was not reached"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_encrypted_or_local_address_is_taken() {
        for good in ["https://hc.example/ping/1", "http://127.0.0.1:9/x", "https://hc.example/ping/1/"] {
            assert!(Switch::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://hc.example/ping", "ftp://hc.example/", "hc.example", "https://hc.example/?a=1"] {
            assert!(Switch::parse(bad).is_err(), "{bad}");
        }
    }
}
