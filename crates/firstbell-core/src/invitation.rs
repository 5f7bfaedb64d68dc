//! A login that a person completes: one pending attempt with its nonce and its life, and which address that comes back belongs
//! to it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::broker::{App, Broker, Nonce};
use crate::failure::Failure;
use crate::secret::Secret;
use crate::token::Grant;

/// How long a link is good, at most: a person who has to find the phone needs minutes, a link in a forgotten window should
/// not be good for hours.
pub const LIFE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// One pending attempt. Whoever sends somebody else's request token (login CSRF) does not know its nonce.
#[derive(Debug)]
pub struct Invitation {
    nonce: Nonce,
    began: Timestamp,
    until: Timestamp,
    used: bool,
}

/// Why an address that came back was dropped. Nothing of the address is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not belong to this attempt, or is no success.
    Wrong(String),
    /// The attempt has had its one request token.
    Again,
    /// The attempt's life is over.
    Late,
}

impl Invitation {
    /// An attempt that begins now; random bytes from outside, and a life of [`LIFE_MAX`] at most.
    pub fn new(random: [u8; 16], began: Timestamp, life: SignedDuration) -> Invitation {
        Invitation { nonce: Nonce::of(random), began, until: began + life.min(LIFE_MAX), used: false }
    }

    /// The same attempt once more, under another nonce and for what is left of its life: its one request token was
    /// somebody else's.
    #[must_use]
    pub fn renewed(&self, random: [u8; 16]) -> Invitation {
        Invitation { nonce: Nonce::of(random), used: false, ..*self }
    }

    /// The address that the person opens.
    pub fn link(&self, broker: &dyn Broker, app: &App) -> String {
        broker.invite(app, &self.nonce)
    }

    /// The moment at which it ends.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether its life is over. A clock that was set back to before its beginning ends it too.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now < self.began || now >= self.until
    }

    /// Takes the request token of an address that came back, once.
    ///
    /// # Errors
    /// Why the address was dropped; the attempt goes on as if it had not come.
    pub fn take(
        &mut self,
        broker: &dyn Broker,
        app: &App,
        url: &Secret,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        if self.is_over(now) {
            return Err(Refusal::Late);
        }
        if self.used {
            return Err(Refusal::Again);
        }
        let grant = broker.capture_invited(app, url, &self.nonce).map_err(|failure| match failure {
            Failure::WrongReturn { why } => Refusal::Wrong(why),
            other => Refusal::Wrong(other.to_string()),
        })?;
        self.used = true;
        Ok(grant)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Wrong(why) => f.write_str(why),
            Refusal::Again => f.write_str("this link has had its login"),
            Refusal::Late => f.write_str("this link is too old"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::kite::Kite;

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
            format!(
                "https://kite.zerodha.com/connect/login?v=3&api_key=kitekey&redirect_params=state%3D{NONCE}"
            )
        );
    }

    #[test]
    fn a_token_with_the_nonce_is_taken_once_and_within_the_life() {
        let (kite, app) = (Kite::live(), app());
        let mut pending = pending();
        assert_eq!(pending.take(&kite, &app, &good(NONCE), at(-1)).unwrap_err(), Refusal::Late);
        assert_eq!(pending.take(&kite, &app, &good(NONCE), at(600)).unwrap_err(), Refusal::Late);
        let grant = pending.take(&kite, &app, &good(NONCE), at(599)).unwrap();
        assert_eq!(grant.secret().expose(), TOKEN);
        assert_eq!(pending.take(&kite, &app, &good(NONCE), at(599)).unwrap_err(), Refusal::Again);
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
            assert!(
                !refusal.to_string().contains(TOKEN) && !refusal.to_string().contains(NONCE),
                "{refusal}"
            );
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
}
