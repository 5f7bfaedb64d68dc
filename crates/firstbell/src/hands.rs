//! What one account is worked with: its login, its proof, its secrets and its sinks, all in one reach for the commands and
//! the keeper.

use firstbell_core::broker::{App, Broker};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::event::{ASSISTED, Event};
use firstbell_core::failure::{Failure, Part};
use firstbell_core::schedule::Assisted;
use firstbell_core::secret::Secret;
use firstbell_core::token::Token;
use firstbell_core::totp::Seed;
use firstbell_core::walk::{Codes, Credentials};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::codes::CodeConfig;
use crate::config::Account;
use crate::drivers::DriverConfig;
use crate::halt::Halt;
use crate::ledger::{Journal, Ledger};
use crate::login::{Keys, Login, Progress, Queue};
use crate::ports::{Album, Clock, CodeSource, Delivery, Http, Person, Reach, Soon};
use crate::secrets::{Name, Owner};
use crate::sinks::SinkConfig;
use crate::stores::{Stores, Turn};

/// One account with everything around it.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// The account.
    pub account: &'a Account,
    /// The broker.
    pub kite: &'a Kite,
    /// The engines.
    pub drivers: &'a DriverConfig,
    /// Store and vault.
    pub stores: &'a Stores,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Calls out.
    pub http: &'a dyn Http,
    /// Hears the steps.
    pub progress: &'a dyn Progress,
    /// Hears the events.
    pub journal: Option<&'a dyn Journal>,
    /// The word that ends it.
    pub halt: &'a Halt,
}

/// The turn to log in, for as long as this lives.
#[derive(Debug)]
pub struct Seat {
    /// How it stood when we asked for it.
    pub before: Before,
    _turn: Turn,
}

/// When an account's last login had ended well, by whichever machine's clock: to be told from another time, not compared.
#[derive(Clone, Copy, Debug)]
pub struct Before(Option<Timestamp>);

impl<'a> Hands<'a> {
    /// The account's history, to look.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn look(&self) -> Result<Ledger<'a>, Failure> {
        Ok(Ledger::open(self.stores.store(), self.clock, &self.account.app)?.heard_by(self.journal))
    }

    /// The account's history, to go on with it.
    ///
    /// # Errors
    /// As [`Ledger::attest`].
    pub fn attest(&self) -> Result<Ledger<'a>, Failure> {
        Ok(Ledger::attest(self.stores.store(), self.clock, &self.account.app)?.heard_by(self.journal))
    }

    /// Keeps everybody else from logging this account in; waits for one who does so now, on a thread of its own, so that
    /// whoever waits may go.
    ///
    /// # Errors
    /// Where the history cannot be read, or the turn not be asked for.
    pub async fn turn(&self) -> Result<Seat, Failure> {
        let (turns, user) = (self.stores.turns().clone(), self.account.app.user());
        // Before the turn is asked for: a login that ends until it is ours is then one that we did not see.
        let before = Before(self.look()?.state().proven_at);
        if let Some(turn) = turns.try_take(&user)? {
            return Ok(Seat { before, _turn: turn });
        }
        self.progress.begin("waiting for another login of this account");
        let waiting = tokio::task::spawn_blocking(move || turns.take(&user));
        let turn = waiting.await.unwrap_or(Err(Failure::Interrupted))?;
        Ok(Seat { before, _turn: turn })
    }

    /// One login, by whoever holds the account's lock. Where somebody else's login ended since `before`, its token is ours.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn log_in(
        &self,
        before: Option<Before>,
        album: Option<&'a dyn Album>,
    ) -> Result<Token, Failure> {
        let mut ledger = self.attest()?;
        if let Some(token) = others(&ledger, before)? {
            return Ok(token);
        }
        let keys = self.keys()?;
        let codes = self.account.codes.open(self.http);
        let login = Login { album, ..self.login(codes.as_deref()) };
        let token = login.run(&mut ledger, &keys).await?;
        Ok(self.finish(token))
    }

    /// One login that a person makes, by whoever holds the account's lock; of the account's secrets it needs the API secret
    /// only. As [`Hands::log_in`] otherwise.
    ///
    /// # Errors
    /// As there.
    pub async fn assisted(
        &self,
        before: Before,
        person: &mut dyn Person,
        life: SignedDuration,
    ) -> Result<Token, Failure> {
        let mut ledger = self.attest()?;
        if let Some(token) = others(&ledger, Some(before))? {
            return Ok(token);
        }
        ledger.note(Event::Began { driver: ASSISTED.into() })?;
        self.ask(&Held(*self), person, life).await
    }

    /// The same by whoever does not hold the account's lock, and has written down that it begins: the lock is taken when
    /// somebody came, and not while he is waited for.
    ///
    /// # Errors
    /// As there.
    pub async fn invite(&self, person: &mut dyn Person, life: SignedDuration) -> Result<Token, Failure> {
        self.ask(&Taken(*self), person, life).await
    }

    async fn ask<Q: Queue<'a>>(
        &self,
        queue: &Q,
        person: &mut dyn Person,
        life: SignedDuration,
    ) -> Result<Token, Failure> {
        let api_secret = self.secret(Name::ApiSecret)?;
        let token = self.login(None).assisted(queue, &api_secret, person, life).await?;
        Ok(self.finish(token))
    }

    fn finish(&self, token: Token) -> Token {
        if let Err(failure) = self.stores.store().tidy(self.clock.now()) {
            tracing::warn!(%failure, "old events could not be pruned");
        }
        token
    }

    /// Asks the broker whether a token lives.
    ///
    /// # Errors
    /// [`Failure::DeadOnArrival`] where it does not; others where nobody knows.
    pub async fn prove(&self, token: &Token) -> Result<(), Failure> {
        self.login(None).probe(&token.access).await
    }

    /// What a sink is given of a token.
    pub fn delivery<'t>(&self, token: &'t Token) -> Delivery<'t>
    where
        'a: 't,
    {
        let (account, App { api_key, user_id, .. }) = (&self.account.name, &self.account.app);
        Delivery { account, api_key, user_id, token }
    }

    /// What a sink reaches the world with.
    pub fn reach(&self) -> Reach<'a> {
        Reach { http: self.http, clock: self.clock }
    }

    /// Writes a token to all sinks at one time; each has its own time, whatever becomes of another. Over within 10 s.
    pub async fn deliver(&self, token: &Token) -> Vec<(&'a SinkConfig, Result<(), Failure>)> {
        let delivery = self.delivery(token);
        let one = |sink: &'a SinkConfig| {
            let delivery = &delivery;
            async move { (sink, sink.deliver(self.stores.vault(), self.reach(), delivery).await) }
        };
        join_all(self.account.sinks.iter().map(one)).await
    }

    /// Looks at all sinks at one time, whether they could be written; gives those that could not. Over within 10 s.
    pub async fn check_sinks(&self) -> Vec<(&'a SinkConfig, Failure)> {
        let one = |sink: &'a SinkConfig| async move {
            sink.check(self.stores.vault(), self.reach()).await.err().map(|failure| (sink, failure))
        };
        join_all(self.account.sinks.iter().map(one)).await.into_iter().flatten().collect()
    }

    /// Fetches what only a login may see.
    ///
    /// # Errors
    /// [`Failure::Broken`] where a secret is not there or is none.
    pub fn keys(&self) -> Result<Keys, Failure> {
        let (account, stores) = (self.account, self.stores);
        let (password, api_secret) = (self.secret(Name::Password)?, self.secret(Name::ApiSecret)?);
        let (codes, which) = match &account.codes {
            CodeConfig::Seed => {
                let seed = Seed::parse(&self.secret(Name::TotpSeed)?).map_err(|fault| Failure::Broken {
                    part: Part::Secret,
                    why: format!("the secret totp_seed cannot be used: {fault}"),
                    cure: format!("Run firstbell secrets set totp_seed {}.", account.name),
                })?;
                let which = seed.canonical();
                (Codes::Seed(seed), which)
            }
            source => (Codes::Asked, source.canonical()),
        };
        Ok(Keys {
            password_mark: stores.fingerprint(Name::Password.as_str(), &password),
            seed_mark: stores.fingerprint(Name::TotpSeed.as_str(), &which),
            credentials: Credentials { user_id: Secret::new(account.app.user_id.clone()), password, codes },
            api_secret,
        })
    }

    /// Why a login of this account could not have its secrets; an account that a person logs in for needs one only.
    pub fn lacks_secret(&self) -> Option<Failure> {
        match self.account.assisted {
            Assisted::Only => self.secret(Name::ApiSecret).err(),
            Assisted::Never | Assisted::Last => self.keys().err(),
        }
    }

    fn secret(&self, name: Name) -> Result<Secret, Failure> {
        let user = self.account.app.user();
        let owner = Owner { id: &user, name: &self.account.name };
        let (_, source) = &self.account.secrets[name as usize];
        source.fetch(owner, name, self.stores.vault())
    }

    fn login<'l>(&self, codes: Option<&'l dyn CodeSource>) -> Login<'l>
    where
        'a: 'l,
    {
        Login {
            broker: self.kite as &dyn Broker,
            ground: self.kite.ground(),
            app: &self.account.app,
            engines: self.drivers,
            http: self.http,
            clock: self.clock,
            codes,
            album: None,
            progress: self.progress,
            halt: self.halt,
        }
    }
}

/// The turn of whoever holds the account's lock already.
struct Held<'a>(Hands<'a>);

impl<'a> Queue<'a> for Held<'a> {
    type Lock = ();

    fn take(&self) -> Soon<'_, Result<(Ledger<'a>, ()), Failure>> {
        Box::pin(async { Ok((self.0.attest()?, ())) })
    }
}

/// The turn of whoever waits for it.
struct Taken<'a>(Hands<'a>);

impl<'a> Queue<'a> for Taken<'a> {
    type Lock = Seat;

    fn take(&self) -> Soon<'_, Result<(Ledger<'a>, Seat), Failure>> {
        Box::pin(async {
            let seat = self.0.turn().await?;
            Ok((self.0.attest()?, seat))
        })
    }
}

/// The token of a login that somebody else made while we waited for our turn.
fn others(ledger: &Ledger<'_>, before: Option<Before>) -> Result<Option<Token>, Failure> {
    let Some(Before(before)) = before else { return Ok(None) };
    if ledger.state().proven_at == before {
        return Ok(None);
    }
    ledger.current()
}
