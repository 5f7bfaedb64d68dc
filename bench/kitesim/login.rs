//! A whole login as scripts without a browser do it: entry, password, code, entry again, finish, exchange.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::stage::Stage;
use crate::wire::Wire;

/// Six requests, each built on the replies before it; gives the access token.
pub(crate) async fn whole(wire: &mut Wire, stage: &Stage) -> Outcome<String> {
    let api_key = &stage.account.api_key;
    let entry = wire.ask(&stage.get(&format!("/connect/login?v=3&api_key={api_key}"), "")).await?;
    entry.expect_status(302)?;
    let (session, page) = (entry.cookies(), path(entry.header("location"))?);
    let password = [("user_id", stage.account.user_id.as_str()), ("password", &stage.account.password)];
    let reply = wire.ask(&stage.post("/api/login", &session, &password)).await?;
    reply.expect_status(200)?;
    let request_id = reply.text("request_id")?;
    let code = code(&stage.seed, second_of(reply.header("date"))?);
    let fields =
        [("user_id", stage.account.user_id.as_str()), ("request_id", &request_id), ("twofa_value", &code)];
    let reply = wire.ask(&stage.post("/api/twofa", &session, &fields)).await?;
    reply.expect_status(200)?;
    let session = reply.cookies();
    let reply = wire.ask(&stage.get(&page, &session)).await?;
    reply.expect_status(302)?;
    let finish = path(reply.header("location"))?;
    let reply = wire.ask(&stage.get(&finish, &session)).await?;
    reply.expect_status(302)?;
    let target = url::Url::parse(reply.header("location").unwrap_or_default())?;
    let grant =
        target.query_pairs().find(|(name, _)| name == "request_token").map(|(_, value)| value.into_owned());
    let grant = grant.ok_or("no request token in the redirect")?;
    let checksum = HEXLOWER.encode(&Sha256::digest(format!("{api_key}{grant}{}", stage.account.api_secret)));
    let fields = [("api_key", api_key.as_str()), ("request_token", &grant), ("checksum", &checksum)];
    let reply = wire.ask(&stage.post("/session/token", "", &fields)).await?;
    reply.expect_status(200)?;
    reply.text("access_token")
}

/// Path and query of an absolute address.
fn path(address: Option<&str>) -> Outcome<String> {
    let url = url::Url::parse(address.ok_or("a redirect without an address")?)?;
    Ok(url[url::Position::BeforePath..].to_owned())
}

/// The second of a `Date` header: the simulated clock decides which code is good.
fn second_of(date: Option<&str>) -> Outcome<i64> {
    let date = jiff::fmt::rfc2822::parse(date.ok_or("a reply without a date")?)?;
    Ok(date.timestamp().as_second())
}

/// RFC 6238.
fn code(seed: &[u8], second: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(seed).expect("HMAC takes a key of any length");
    mac.update(&second.div_euclid(30).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let start = usize::from(digest[19] & 0x0f);
    let word = [digest[start] & 0x7f, digest[start + 1], digest[start + 2], digest[start + 3]];
    format!("{:06}", u32::from_be_bytes(word) % 1_000_000)
}
