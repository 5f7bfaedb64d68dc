//! A pending attempt against addresses that come back: its own is taken once and in time, every foreign one is dropped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use firstbell_core::broker::App;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::invitation::{Invitation, LIFE_MAX, Refusal};
use firstbell_core::secret::Secret;
use jiff::{SignedDuration, Timestamp};

const TOKEN: &str = "hXUDqyoSDuqNqs2l5tCXvVX5lhsfDFRR";
const NONCE: &str = "07070707070707070707070707070707";

fn app() -> App {
    let redirect = "http://127.0.0.1:5000/back".parse().unwrap();
    App { api_key: "kitekey".into(), user_id: "AB1234".into(), redirect }
}

fn at(s: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + s).unwrap()
}

fn pending() -> Invitation {
    Invitation::new([7; 16], at(0), LIFE_MAX)
}

fn back(query: &str) -> Secret {
    Secret::new(format!("http://127.0.0.1:5000/back?{query}"))
}

fn good(nonce: &str) -> Secret {
    back(&format!("action=login&type=login&status=success&request_token={TOKEN}&state={nonce}"))
}

#[test]
fn the_link_carries_the_nonce_and_nothing_else_of_ours() {
    let link = pending().link(&Kite::live(), &app());
    assert_eq!(
        link,
        format!("https://kite.zerodha.com/connect/login?v=3&api_key=kitekey&redirect_params=state%3D{NONCE}")
    );
}

#[test]
fn a_token_with_the_nonce_is_taken_once_and_within_the_life() {
    let (kite, app) = (Kite::live(), app());
    let mut pending = pending();
    assert_eq!(pending.take(&kite, &app, &good(NONCE), at(-1)).unwrap_err(), Refusal::Late);
    assert_eq!(pending.take(&kite, &app, &good(NONCE), at(600)).unwrap_err(), Refusal::Late);
    assert!(!pending.is_over(at(0)), "it can come back in the second in which it was sent");
    let grant = pending.take(&kite, &app, &good(NONCE), at(599)).unwrap();
    assert_eq!(grant.secret().expose(), TOKEN);
    assert_eq!(pending.take(&kite, &app, &good(NONCE), at(599)).unwrap_err(), Refusal::Again);
}

#[test]
fn whoever_comes_too_late_or_twice_reads_why() {
    for (refusal, word) in
        [(Refusal::Late, "old"), (Refusal::Again, "had its login"), (Refusal::Wrong("x".into()), "x")]
    {
        assert!(refusal.to_string().contains(word), "{refusal:?}");
    }
}

#[test]
fn a_foreign_token_is_dropped_and_the_attempt_goes_on() {
    let (kite, app) = (Kite::live(), app());
    let mut pending = pending();
    let ok = format!("status=success&request_token={TOKEN}");
    for query in [
        ok.clone(),
        format!("{ok}&state="),
        format!("{ok}&state=17070707070707070707070707070707"),
        format!("{ok}&state=0707070707070707"),
        format!("{ok}&State={NONCE}"),
        format!("{ok}&state={NONCE}&state={NONCE}"),
        format!("{ok}&state={NONCE}&state=other"),
        format!("{ok}&state={NONCE}&request_token={TOKEN}"),
        format!("status=error&request_token={TOKEN}&state={NONCE}"),
        format!("request_token={TOKEN}&state={NONCE}"),
        format!("status=success&state={NONCE}"),
    ] {
        let refusal = pending.take(&kite, &app, &back(&query), at(1)).unwrap_err();
        assert!(matches!(&refusal, Refusal::Wrong(_)), "{query}: {refusal}");
        assert!(!refusal.to_string().contains(TOKEN) && !refusal.to_string().contains(NONCE), "{refusal}");
    }
    let elsewhere = Secret::new(format!("http://127.0.0.1:5000/other?{ok}&state={NONCE}"));
    assert!(pending.take(&kite, &app, &elsewhere, at(1)).is_err());
    assert!(pending.take(&kite, &app, &good(NONCE), at(1)).is_ok());
}

#[test]
fn a_renewed_attempt_lives_no_longer_and_forgets_its_nonce() {
    let (kite, app) = (Kite::live(), app());
    let mut first = pending();
    first.take(&kite, &app, &good(NONCE), at(1)).unwrap();
    let mut second = first.renewed([8; 16]);
    assert_eq!(second.until(), first.until());
    assert!(matches!(second.take(&kite, &app, &good(NONCE), at(2)), Err(Refusal::Wrong(_))));
    assert!(second.take(&kite, &app, &good(&"08".repeat(16)), at(2)).is_ok());
}

#[test]
fn no_life_is_longer_than_the_longest() {
    let pending = Invitation::new([7; 16], at(0), SignedDuration::from_hours(5));
    assert_eq!(pending.until(), at(600));
}
