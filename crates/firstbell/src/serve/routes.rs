//! The one table of what can be asked: the router and the OpenAPI document are both made of it.

use super::Order;
use super::keys::Scope;

/// What is done for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Token,
    Accounts,
    Events,
    Alive,
    Ready,
    Metrics,
    Document,
    Order(Order),
}

/// What an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Card,
    Accounts,
    Stream,
    Alive,
    Ready,
    Metrics,
    Document,
    Done,
    Error,
    Nothing,
}

/// A part of a query: its name, whether it is a number, and what it is for.
pub(super) type Parameter = (&'static str, bool, &'static str);

/// One thing that can be asked.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// `{account}` stands for an account's name.
    pub(super) path: &'static str,
    pub(super) scope: Scope,
    pub(super) call: Call,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Parameter],
    /// What comes beside the refusals that every route has.
    pub(super) answers: &'static [(u16, Kind)],
}

pub(super) const ACCOUNT: &str = "{account}";
const DONE: &[(u16, Kind)] = &[(200, Kind::Done), (503, Kind::Error)];

/// The most asked one first.
pub(super) const ROUTES: [Route; 11] = [
    Route {
        method: "GET",
        path: "/v1/accounts/{account}/token",
        scope: Scope::Token,
        call: Call::Token,
        summary: "Today's token, while it is believed good; with wait, the next one as soon as it is handed out",
        query: &[
            ("wait", true, "wait for a generation that is greater than this one"),
            ("timeout_s", true, "for how long: 1 to 300, otherwise 30"),
        ],
        answers: &[(200, Kind::Card), (204, Kind::Nothing), (503, Kind::Error)],
    },
    Route {
        method: "GET",
        path: "/v1/accounts",
        scope: Scope::Status,
        call: Call::Accounts,
        summary: "How every account stands, as firstbell status --json shows it",
        query: &[],
        answers: &[(200, Kind::Accounts)],
    },
    Route {
        method: "GET",
        path: "/v1/events",
        scope: Scope::Status,
        call: Call::Events,
        summary: "Server-sent events: token, withheld, state and health, as they stand and then as they change; ends after an hour, or where generations go backwards: listen again",
        query: &[("account", false, "of this account only")],
        answers: &[(200, Kind::Stream), (404, Kind::Error)],
    },
    Route {
        method: "GET",
        path: "/livez",
        scope: Scope::Status,
        call: Call::Alive,
        summary: "Whether every keeper looks when it should",
        query: &[],
        answers: &[(200, Kind::Alive), (503, Kind::Alive)],
    },
    Route {
        method: "GET",
        path: "/readyz",
        scope: Scope::Status,
        call: Call::Ready,
        summary: "Whether every account has a proven token that is handed out",
        query: &[],
        answers: &[(200, Kind::Ready), (503, Kind::Ready)],
    },
    Route {
        method: "GET",
        path: "/metrics",
        scope: Scope::Status,
        call: Call::Metrics,
        summary: "Numbers in the Prometheus text format",
        query: &[],
        answers: &[(200, Kind::Metrics)],
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        scope: Scope::Status,
        call: Call::Document,
        summary: "This document",
        query: &[],
        answers: &[(200, Kind::Document)],
    },
    order("/v1/accounts/{account}/pause", Order::Pause, "No logins any more"),
    order("/v1/accounts/{account}/resume", Order::Resume, "Logins again"),
    order(
        "/v1/accounts/{account}/unlock",
        Order::Unlock,
        "The account is well: spent attempts are forgotten",
    ),
    order("/v1/accounts/{account}/look", Order::Look, "Look at once: something was stored or changed"),
];

const fn order(path: &'static str, order: Order, summary: &'static str) -> Route {
    let call = Call::Order(order);
    Route { method: "POST", path, scope: Scope::Admin, call, summary, query: &[], answers: DONE }
}

/// Why no route was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// There is no such path.
    Path,
    /// It is there for another method.
    Method,
}

/// The route of a request, and the account that it names.
pub(super) fn find<'p>(method: &str, path: &'p str) -> Result<(&'static Route, Option<&'p str>), Lost> {
    let mut lost = Lost::Path;
    for route in &ROUTES {
        if let Some(account) = fits(route.path, path) {
            if route.method == method {
                return Ok((route, account));
            }
            lost = Lost::Method;
        }
    }
    Err(lost)
}

fn fits<'p>(template: &str, path: &'p str) -> Option<Option<&'p str>> {
    match template.split_once(ACCOUNT) {
        None => (template == path).then_some(None),
        Some((before, after)) => {
            let name = path.strip_prefix(before)?.strip_suffix(after)?;
            is_name(name).then_some(Some(name))
        }
    }
}

/// Whether a text has the form of an account's name: nothing that is escaped, and no path.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

/// What a request's query says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query<'q> {
    pub(super) wait: Option<u64>,
    pub(super) timeout_s: Option<u64>,
    pub(super) account: Option<&'q str>,
}

impl<'q> Query<'q> {
    /// Reads a query; none where anything in it is not what the route knows, or is there twice.
    pub(super) fn read(text: Option<&'q str>, known: &[Parameter]) -> Option<Query<'q>> {
        let mut query = Query::default();
        let mut seen = [false; 4];
        for pair in text.into_iter().flat_map(|text| text.split('&')) {
            let (name, value) = pair.split_once('=')?;
            let place = known.iter().position(|(known, ..)| *known == name)?;
            if std::mem::replace(&mut seen[place], true) {
                return None;
            }
            match name {
                "wait" => query.wait = Some(number(value)?),
                "timeout_s" => query.timeout_s = Some(number(value).filter(|s| (1..=300).contains(s))?),
                _ => query.account = Some(value).filter(|value| is_name(value)),
            }
            if name == "account" && query.account.is_none() {
                return None;
            }
        }
        // A time without a wait is a misspelt wait.
        (query.timeout_s.is_none() || query.wait.is_some()).then_some(query)
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_path_only() {
        for route in &ROUTES {
            let path = route.path.replace(ACCOUNT, "main-1");
            let (found, account) = find(route.method, &path).unwrap();
            assert_eq!((found.path, account.is_some()), (route.path, route.path.contains(ACCOUNT)));
            assert_eq!(find("PUT", &path).unwrap_err(), Lost::Method);
            for wrong in [format!("{path}/"), format!("/{path}"), path.to_uppercase(), format!("{path}%20")] {
                assert_eq!(find(route.method, &wrong).unwrap_err(), Lost::Path, "{wrong}");
            }
        }
        for name in ["", "..", "a/b", "ma%69n", "Main", &"a".repeat(33)] {
            assert!(find("GET", &format!("/v1/accounts/{name}/token")).is_err(), "{name}");
        }
    }

    #[test]
    fn a_query_is_read_whole_or_not_at_all() {
        let known = ROUTES[0].query;
        let read = |text| Query::read(Some(text), known);
        assert_eq!(Query::read(None, known), Some(Query::default()));
        let query = read("timeout_s=300&wait=0").unwrap();
        assert_eq!((query.wait, query.timeout_s), (Some(0), Some(300)));
        for wrong in [
            "",
            "wait",
            "wait=",
            "wait=-1",
            "wait=+1",
            "wait=1.0",
            "wait=1&wait=2",
            "wait=99999999999999999999",
            "x=1",
            "timeout_s=5",
            "wait=1&timeout_s=0",
            "wait=1&timeout_s=301",
            "wait=%31",
            "wait=1&",
            "account=main",
            "wait= 1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let events = ROUTES[2].query;
        assert_eq!(Query::read(Some("account=main"), events).unwrap().account, Some("main"));
        assert_eq!(Query::read(Some("account=../x"), events), None);
    }
}
