//! Zerodha's Kite Connect: who it is, its login plan, its calls and how to read what comes back.

mod calls;
mod redirect;

use std::sync::OnceLock;

use crate::broker::{App, Broker, Calls, Ground, Nonce};
use crate::failure::Failure;
use crate::origin::{Origin, OriginFault};
use crate::plan::{Plan, PlanFaults};
use crate::secret::Secret;
use crate::token::{Flush, Grant};

/// Where the API answers (Kite Connect documentation, "Response structure").
const API: &str = "https://api.kite.trade";
/// Where live prices come from (kite.trade/docs/connect/v3/websocket: `wss://ws.kite.trade`).
const TICKER: &str = "https://ws.kite.trade";

/// When Kite ends tokens, in India's hours. The documentation says 06:00, Zerodha's staff 07:00 to 07:30, and
/// operators measured 05:20 to 07:50 in September 2026; so from 05:00 a token is not believed without a proof, and at
/// 08:00 it is over.
const FLUSH: Flush = Flush { begins_h: 5, ends_h: 8 };

/// The plan that is compiled in.
const TEXT: &str = include_str!("plan.toml");

/// Kite, at its own addresses or, for rehearsals and tests, at loopback ones.
#[derive(Debug)]
pub struct Kite {
    plan: Plan,
    ground: Ground,
}

impl Kite {
    /// Kite as it is.
    pub fn live() -> Kite {
        let api = Origin::parse(API).expect("the constant is an origin");
        let ticker = Origin::parse(TICKER).expect("the constant is an origin");
        Kite { plan: plan().clone(), ground: Ground { api, ticker, flush: FLUSH } }
    }

    /// Kite at loopback addresses.
    ///
    /// # Errors
    /// [`OriginFault::NotSecure`] for an address that is not loopback: secrets of a real account must have one way
    /// to go only.
    pub fn rehearsal(site: Origin, api: Origin) -> Result<Kite, OriginFault> {
        if !site.is_loopback() || !api.is_loopback() {
            return Err(OriginFault::NotSecure);
        }
        Ok(Kite { plan: plan().clone().at(site), ground: Ground { ticker: api.clone(), api, flush: FLUSH } })
    }

    /// Kite with other hours in which it ends tokens: the documents, its staff and the logs of users differ about them.
    #[must_use]
    pub fn with_flush(mut self, flush: Flush) -> Kite {
        self.ground.flush = flush;
        self
    }

    /// Kite with another plan in the place of the compiled-in one; where secrets go does not change with it.
    ///
    /// # Errors
    /// The plan's faults; one that would type at another origin than Kite's is one.
    pub fn with_plan(mut self, text: &str) -> Result<Kite, PlanFaults> {
        self.plan = Kite::read_plan(text)?.at(self.plan.origin);
        Ok(self)
    }

    /// Reads a plan for Kite.
    ///
    /// # Errors
    /// As above.
    pub fn read_plan(text: &str) -> Result<Plan, PlanFaults> {
        let own = Plan::parse(text)?;
        if own.origin == plan().origin {
            return Ok(own);
        }
        let line = text.lines().position(|line| line.trim_start().starts_with("origin")).map(|at| at + 1);
        let what = format!("origin must be {}: secrets are typed nowhere else", plan().origin);
        Err(PlanFaults(vec![(line, what)]))
    }

    /// The compiled-in plan, as its file is written.
    pub fn plan_text() -> &'static str {
        TEXT
    }

    /// Where the API answers, and when tokens end.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }
}

impl Broker for Kite {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    /// `/connect/login?v=3&api_key=…` (Kite Connect documentation, "User").
    fn entry(&self, app: &App) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("v", "3")
            .append_pair("api_key", &app.api_key)
            .finish();
        self.plan.origin.join(&format!("/connect/login?{query}"))
    }

    fn capture(&self, app: &App, url: &Secret) -> Result<Grant, Failure> {
        redirect::capture(&app.redirect, url)
    }

    /// `redirect_params` is a query of its own, whose pairs come back on the registered address (Kite Connect
    /// documentation, "User").
    fn invite(&self, app: &App, nonce: &Nonce) -> String {
        let pair = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(redirect::NONCE, nonce.as_str())
            .finish();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("redirect_params", &pair)
            .finish();
        format!("{}&{query}", self.entry(app))
    }

    fn capture_invited(&self, app: &App, url: &Secret, nonce: &Nonce) -> Result<Grant, Failure> {
        redirect::capture_invited(&app.redirect, url, nonce)
    }

    fn calls(&self) -> &dyn Calls {
        &calls::KiteCalls
    }
}

/// The plan that is compiled in; read once.
fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| Plan::parse(TEXT).expect("the plan in the program was checked by a test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_in_the_program_is_whole_and_points_at_kite() {
        let kite = Kite::live();
        assert_eq!(kite.plan().origin.to_string(), "https://kite.zerodha.com");
        assert_eq!(kite.ground().api.to_string(), "https://api.kite.trade");
        assert!(kite.plan().pages.iter().filter(|p| p.entry.is_some()).count() == 3);
    }

    #[test]
    fn the_login_begins_at_the_documented_address() {
        let app = App {
            api_key: "abc&d".into(),
            user_id: "AB1234".into(),
            redirect: "https://example.org/back".parse().unwrap(),
        };
        assert_eq!(Kite::live().entry(&app), "https://kite.zerodha.com/connect/login?v=3&api_key=abc%26d");
    }

    #[test]
    fn a_rehearsal_is_on_loopback_or_not_at_all() {
        let origin = |text| Origin::parse(text).unwrap();
        assert!(Kite::rehearsal(origin("http://127.0.0.1:1"), origin("http://[::1]:2")).is_ok());
        for (site, api) in [
            ("https://evil.example", "http://127.0.0.1:2"),
            ("http://127.0.0.1:1", "https://evil.example"),
            ("https://localhost:1", "http://127.0.0.1:2"),
        ] {
            assert!(Kite::rehearsal(origin(site), origin(api)).is_err(), "{site} {api}");
        }
    }
}
