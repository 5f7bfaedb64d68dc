//! The way back from a login: the registered address, a success, and one whole request token, or a refusal.

use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::broker::Nonce;
use crate::failure::Failure;
use crate::secret::Secret;
use crate::token::Grant;

/// The name under which a nonce comes back.
pub(super) const NONCE: &str = "state";

/// The same for a login that a person makes: the address must also carry the nonce of the attempt, exactly once.
pub(super) fn capture_invited(registered: &Url, url: &Secret, nonce: &Nonce) -> Result<Grant, Failure> {
    let grant = capture(registered, url)?;
    let Ok(url) = Url::parse(url.expose()) else {
        return Err(wrong("the address cannot be read"));
    };
    match single(&url, NONCE)? {
        // By their hashes: how long it takes tells nobody how much of a guess is right.
        Some(text) if Sha256::digest(text.as_bytes()) == Sha256::digest(nonce.as_str()) => Ok(grant),
        Some(_) => Err(wrong("it belongs to another login than the one that is waited for")),
        None => Err(wrong("it belongs to no login that firstbell began")),
    }
}

/// Reads the address that the login leaves for. Exact origin and path of the registered address; parameters by name,
/// never by order, each at most once (Kite has changed their order: Kite Connect forum, comments 23378 and 48197).
pub(super) fn capture(registered: &Url, url: &Secret) -> Result<Grant, Failure> {
    let Ok(url) = Url::parse(url.expose()) else {
        return Err(wrong("the address cannot be read"));
    };
    check_place(registered, &url)?;
    let status = single(&url, "status")?;
    if let Some(status) = status.filter(|s| s.as_str() != "success") {
        let shown = if status.bytes().all(|b| b.is_ascii_lowercase()) && status.len() <= 20 {
            &status
        } else {
            "other"
        };
        return Err(wrong(&format!("the login ended with status \"{shown}\"")));
    }
    if single(&url, "status")?.is_none() {
        return Err(wrong("the address has no status"));
    }
    if single(&url, "action")?.is_some_and(|action| action.as_str() != "login") {
        return Err(wrong("the address is not the way back from a login"));
    }
    match single(&url, "request_token")? {
        None => Err(wrong("the address has no request token")),
        Some(text) if text.is_empty() => Err(wrong("the request token is empty")),
        Some(mut text) => Grant::parse(Secret::new(std::mem::take(&mut *text)))
            .ok_or_else(|| wrong("the request token is malformed (Kite's have 32 letters and digits)")),
    }
}

fn check_place(registered: &Url, url: &Url) -> Result<(), Failure> {
    let same = url.scheme() == registered.scheme()
        && url.host() == registered.host()
        && url.port_or_known_default() == registered.port_or_known_default();
    if !same {
        let want = registered.origin().ascii_serialization();
        return Err(wrong(&format!("it goes to {}, and {want} is registered", place(url))));
    }
    if url.path() != registered.path() {
        return Err(wrong(&format!("its path differs from the registered {}", registered.path())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it carries a user name"));
    }
    Ok(())
}

/// Where an address leads, for people. What was pasted may be broken anywhere: a host in which a request token could stand is not shown.
fn place(url: &Url) -> String {
    let to = url.origin().ascii_serialization();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:/[]".contains(&b);
    let long = to.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| run.len() >= 32);
    if long || !to.bytes().all(plain) { "a strange host".into() } else { to }
}

fn single(url: &Url, name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let mut values =
        url.query_pairs().filter(|(n, _)| n == name).map(|(_, v)| Zeroizing::new(v.into_owned()));
    let first = values.next();
    match values.next() {
        Some(_) => Err(wrong(&format!("it has {name} twice"))),
        None => Ok(first),
    }
}

fn wrong(why: &str) -> Failure {
    Failure::WrongReturn { why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "hXUDqyoSDuqNqs2l5tCXvVX5lhsfDFRR";

    fn try_at(registered: &str, url: &str) -> Result<Grant, Failure> {
        capture(&registered.parse().unwrap(), &Secret::new(url.into()))
    }

    fn refused(url: &str) -> String {
        match try_at("https://example.org/back", url) {
            Err(Failure::WrongReturn { why }) => why,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn every_known_order_of_parameters_is_read() {
        for query in [
            format!("action=login&type=login&status=success&request_token={TOKEN}"),
            format!("request_token={TOKEN}&action=login&status=success"),
            format!("request_token={TOKEN}&status=success&action=login&user_id=AB1234&some=X&more=Y"),
        ] {
            let grant =
                try_at("https://example.org/back", &format!("https://example.org/back?{query}")).unwrap();
            assert_eq!(grant.secret().expose(), TOKEN);
        }
    }

    #[test]
    fn a_registered_query_and_an_unreachable_address_are_fine() {
        let url = format!("http://127.0.0.1:5000/?a=1&status=success&request_token={TOKEN}");
        assert!(try_at("http://127.0.0.1:5000/?a=1", &url).is_ok());
        assert!(try_at("http://127.0.0.1:5000", &url).is_ok());
    }

    #[test]
    fn other_places_are_refused() {
        let query = format!("status=success&request_token={TOKEN}");
        for place in [
            "https://evil.example/back",
            "http://example.org/back",
            "https://example.org:8443/back",
            "https://example.org.evil.example/back",
            "https://example.org@evil.example/back",
            "https://example.org/back/",
            "https://example.org/Back",
            "https://example.org/",
            "https://user@example.org/back",
        ] {
            refused(&format!("{place}?{query}"));
        }
        refused("not a url");
    }

    /// Found by fuzzing: what was pasted can be broken so that the token is a part of the host.
    #[test]
    fn a_host_is_shown_unless_a_token_could_stand_in_it() {
        assert!(
            refused("http://my-app.example:8080/back").contains("it goes to http://my-app.example:8080,")
        );
        for host in [format!("request_token={TOKEN}"), format!("x.{TOKEN}.example"), "e(xample".into()] {
            assert!(
                refused(&format!("https://{host}/back")).contains("it goes to a strange host,"),
                "{host}"
            );
        }
    }

    #[test]
    fn anything_but_one_whole_token_and_success_is_refused() {
        let at = |query: String| refused(&format!("https://example.org/back?{query}"));
        assert!(at("status=success".into()).contains("no request token"));
        assert!(at("status=success&request_token=".into()).contains("empty"));
        assert!(at(format!("status=success&request_token={TOKEN}x")).contains("malformed"));
        assert!(at(format!("status=success&request_token={TOKEN}&request_token={TOKEN}")).contains("twice"));
        assert!(at(format!("request_token={TOKEN}")).contains("no status"));
        assert!(at(format!("status=cancelled&request_token={TOKEN}")).contains("cancelled"));
        assert!(at(format!("status=success&status=error&request_token={TOKEN}")).contains("twice"));
        assert!(at(format!("status=success&action=basket&request_token={TOKEN}")).contains("login"));
        assert!(at(format!("status=success#request_token={TOKEN}")).contains("no request token"));
        assert!(!at(format!("status={TOKEN}&request_token={TOKEN}")).contains(TOKEN));
        // What is shown of a stranger's word is short, and in small letters.
        for word in ["a".repeat(21), "Short1".into()] {
            assert!(at(format!("status={word}&request_token={TOKEN}")).contains("\"other\""), "{word}");
        }
        assert!(at(format!("status={}&request_token={TOKEN}", "a".repeat(20))).contains(&"a".repeat(20)));
    }
}
