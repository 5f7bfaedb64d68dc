//! One login: walk, capture, exchange once, prove, store. Every attempt is durable before it leaves.

mod assisted;
mod redeem;

pub use self::assisted::Queue;

use firstbell_core::broker::{App, Broker, Ground};
use firstbell_core::budget::{Cause, Fingerprint, Verdict};
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::obstacle::Obstacle;
use firstbell_core::secret::Secret;
use firstbell_core::sight::Action;
use firstbell_core::token::{Standing, Token};
use firstbell_core::walk::{Credentials, Moment, Next, Walk};
use jiff::SignedDuration;

use crate::censor;
use crate::halt::{self, Halt};
use crate::ledger::Ledger;
use crate::ports::{Album, Clock, CodeSource, Driver, Engines, Http, Reach};
use crate::witness;

/// A token that could not be proven is worth asking for this long, also in the hours in which nothing is trusted.
const PENDING_MAX: SignedDuration = SignedDuration::from_hours(1);

/// What a login works with.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The broker, as a document.
    pub broker: &'a dyn Broker,
    /// Its API, and when its tokens end.
    pub ground: &'a Ground,
    /// The app and the user.
    pub app: &'a App,
    /// The engines.
    pub engines: &'a dyn Engines,
    /// Calls out.
    pub http: &'a dyn Http,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Who gives the codes that are not made here.
    pub codes: Option<&'a dyn CodeSource>,
    /// Who keeps what a failed login looked like.
    pub album: Option<&'a dyn Album>,
    /// Told of each step as it begins.
    pub progress: &'a dyn Progress,
    /// Who may end it in its middle.
    pub halt: &'a Halt,
}

/// What only a login may see.
#[derive(Debug)]
pub struct Keys {
    /// What is typed.
    pub credentials: Credentials,
    /// Which password it is.
    pub password_mark: Fingerprint,
    /// Which seed it is.
    pub seed_mark: Fingerprint,
    /// What the exchange is signed with.
    pub api_secret: Secret,
}

/// Hears what a login is doing, as it does it.
pub trait Progress {
    /// A step begins; the one before is over.
    fn begin(&self, step: &'static str);
}

impl<'a> Login<'a> {
    /// Logs in and returns the new token, proven and stored. The failure of a login is in the history too. One that is
    /// halted ends its engine and is over within 4.5 s, by then with a token or without.
    ///
    /// # Errors
    /// The one thing that went wrong. The current token is untouched then.
    pub async fn run(self, ledger: &mut Ledger<'_>, keys: &Keys) -> Result<Token, Failure> {
        if let Some(token) = self.earlier(ledger).await? {
            return Ok(token);
        }
        let outcome = self.fresh(ledger, keys).await;
        self.noted(ledger, outcome)
    }

    /// The token that an earlier run was given, proven now; none where there is no such.
    async fn earlier(self, ledger: &mut Ledger<'_>) -> Result<Option<Token>, Failure> {
        let resumed = self.halt.or(self.resume(ledger)).await.unwrap_or(Err(Failure::Interrupted));
        self.noted(ledger, resumed)
    }

    /// How it ended; a failure is in the history then.
    fn noted<T>(self, ledger: &mut Ledger<'_>, outcome: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &outcome
            && !matches!(failure, Failure::Stopped(_))
        {
            self.note(ledger, failure)?;
        }
        outcome
    }

    /// What a failure leaves behind: the broker's own words about counting and waiting, and its name.
    fn note(self, ledger: &mut Ledger<'_>, failure: &Failure) -> Result<(), Failure> {
        let remaining = match failure {
            Failure::PasswordRejected { remaining: Some(left) } => Some((Cause::Password, *left)),
            Failure::CodeRejected { remaining: Some(left) } => Some((Cause::Code, *left)),
            _ => None,
        };
        if let Some((cause, left)) = remaining {
            ledger.note(Event::Remaining { cause, left })?;
        }
        if let Failure::Throttled { wait_s: Some(wait_s), .. } = failure {
            let until = self.clock.now() + SignedDuration::from_secs(i64::from(*wait_s));
            ledger.note(Event::Wait { until })?;
        }
        ledger.note(Event::Failed { code: failure.code().into(), ask: failure.ask() })
    }

    /// A token that an earlier run was given but could not prove needs no credential: it is asked first. One that is
    /// too old, damaged, of another app, or answered with anything but a passing trouble makes room for a login.
    async fn resume(self, ledger: &mut Ledger<'_>) -> Result<Option<Token>, Failure> {
        let now = self.clock.now();
        let hopeful = |token: &Token| {
            let young = now.duration_since(token.life.issued) < PENDING_MAX && now >= token.life.issued;
            token.api_key == self.app.api_key && (young || token.life.standing(now) == Standing::Trusted)
        };
        let token = match ledger.pending() {
            Ok(None) => return Ok(None),
            Ok(Some(token)) if hopeful(&token) => token,
            _ => return ledger.drop_pending().map(|()| None),
        };
        self.progress.begin("proving the token of an earlier run");
        match self.prove(ledger, token).await {
            Ok(token) => Ok(Some(token)),
            Err(Failure::DeadOnArrival | Failure::ForeignToken) => Ok(None),
            Err(failure) if is_passing(&failure) => Err(failure),
            Err(_) => ledger.drop_pending().map(|()| None),
        }
    }

    /// Climbs the ladder of engines. The next one is tried only where the failure says that no credential was refused or
    /// left without an answer; each asks the same budget.
    async fn fresh(self, ledger: &mut Ledger<'_>, keys: &Keys) -> Result<Token, Failure> {
        let mut said: Vec<(String, Failure)> = Vec::new();
        for engine in self.engines.names() {
            // Both, before anything is started: half a login would be an attempt for nothing.
            ledger.admits(Cause::Password, &keys.password_mark)?;
            ledger.admits(Cause::Code, &keys.seed_mark)?;
            match self.rung(engine, ledger, keys).await {
                Ok(url) => return self.depart(ledger, keys, url).await,
                Err(Stuck { failure, clean }) if clean && leads_on(&failure) => {
                    said.push((engine.into(), failure))
                }
                Err(Stuck { failure, .. }) => return Err(failure),
            }
        }
        match said.pop() {
            Some((_, only)) if said.is_empty() => Err(only),
            Some(last) => Err(Failure::Ladder { said: said.into_iter().chain([last]).collect() }),
            None => Err(Failure::Ladder { said }),
        }
    }

    /// One engine's walk to the redirect address. When this is over the engine ends by itself.
    async fn rung(
        self,
        engine: &'static str,
        ledger: &mut Ledger<'_>,
        keys: &Keys,
    ) -> Result<Departed<'a>, Stuck> {
        self.progress.begin("starting the login engine");
        ledger.note_soon(Event::Began { driver: engine.into() });
        // One that is being started may be a session of somebody else's server: once it is there it can be ended.
        let reach = Reach { http: self.http, clock: self.clock };
        let opened = self.engines.open(engine, self.broker.plan(), self.app, reach);
        let opened = self.halt.grace(halt::FINISH, opened).await.unwrap_or(Err(Failure::Interrupted));
        let mut driver = opened.map_err(|failure| Stuck { failure, clean: true })?;
        let mut spent = Spent::default();
        let walked = self.halt.or(self.walk(ledger, keys, driver.as_mut(), &mut spent)).await;
        match walked.unwrap_or(Err(Failure::Interrupted)) {
            Ok(url) => Ok(Departed { url, driver }),
            Err(failure) => {
                if let Some(album) = self.album.filter(|_| witness::is_worth(&failure)) {
                    // A code is masked by its shape, whoever made it.
                    let secrets = [&keys.credentials.password, &keys.api_secret, &keys.credentials.user_id];
                    witness::take(driver.as_mut(), album, &failure, &secrets).await;
                }
                self.end(driver).await;
                Err(Stuck { failure, clean: spent == Spent::default() })
            }
        }
    }

    /// Exchanges the request token while the engine ends: it has seen the password and the request token.
    async fn depart(
        self,
        ledger: &mut Ledger<'_>,
        keys: &Keys,
        departed: Departed<'_>,
    ) -> Result<Token, Failure> {
        let rest = async {
            let grant = self.broker.capture(self.app, &departed.url)?;
            self.redeem(ledger, &keys.api_secret, &grant).await
        };
        tokio::join!(self.end(departed.driver), rest).1
    }

    /// What became of the login outranks what became of its engine, whose folder is swept at the next start.
    async fn end(self, driver: Box<dyn Driver + '_>) {
        match self.halt.grace(halt::END, driver.close()).await {
            Some(Ok(())) => {}
            Some(Err(failure)) => tracing::warn!(%failure, "the login engine did not end well"),
            None => tracing::warn!("the login engine was left before it had ended"),
        }
    }

    /// Walks until the page leaves for the redirect address.
    async fn walk(
        self,
        ledger: &mut Ledger<'_>,
        keys: &Keys,
        driver: &mut dyn Driver,
        spent: &mut Spent,
    ) -> Result<Secret, Failure> {
        let mut walk = Walk::new(self.broker.plan(), &keys.credentials, ledger.state().budget.last_step);
        let began_ms = self.clock.run_ms();
        let now = || Moment { wall: self.clock.now(), run_ms: self.clock.run_ms() - began_ms };
        self.progress.begin("opening the login page");
        let mut action = walk.first(self.broker.entry(self.app), now());
        let mut waiting = false;
        loop {
            let cause = self.spend(ledger, keys, &action)?;
            spent.open = spent.open || cause.is_some();
            let seen = match driver.perform(action).await {
                Ok(seen) => seen,
                Err(failure) => {
                    if let Some(cause) = cause {
                        ledger.note(Event::Judged { cause, verdict: Verdict::NeverLeft })?;
                        spent.open = false;
                    }
                    return Err(failure);
                }
            };
            let turn = walk.seen(seen, now());
            if let Some((cause, verdict)) = turn.verdict {
                let event = Event::Judged { cause, verdict };
                spent.open = false;
                // Only good news may wait for the next write: losing it in a crash makes us more careful, not less.
                match verdict {
                    Verdict::Accepted => ledger.note_soon(event),
                    _ => ledger.note(event)?,
                }
                spent.badly = spent.badly || !matches!(verdict, Verdict::Accepted | Verdict::NeverLeft);
            }
            if walk.awaits_code() && !waiting {
                self.progress.begin("waiting for the next time step");
            }
            waiting = walk.awaits_code();
            let mut next = turn.next;
            while matches!(next, Next::NeedCode) {
                let (digits, typed) = self.ask_code().await?;
                next = walk.code(digits, typed, now());
            }
            action = match next {
                Next::Do(action) => action,
                Next::Left(url) => {
                    censor::know(&url);
                    return Ok(url);
                }
                Next::Fail(failure) => return Err(failure),
                Next::NeedCode => unreachable!("it was asked for above"),
            };
        }
    }

    async fn ask_code(self) -> Result<(Secret, bool), Failure> {
        let source = self.codes.expect("a walk asks only where the account names a source");
        self.progress.begin("asking for a code");
        Ok((source.code().await?, source.is_person()))
    }

    /// Makes a submission durable before it leaves, or refuses it.
    fn spend(self, ledger: &mut Ledger<'_>, keys: &Keys, action: &Action) -> Result<Option<Cause>, Failure> {
        let Action::Fill(fill) = action else { return Ok(None) };
        let (mark, step) = match fill.cause {
            Cause::Password => (&keys.password_mark, "user id and password"),
            Cause::Code => (&keys.seed_mark, "second factor"),
        };
        ledger.admits(fill.cause, mark)?;
        self.progress.begin(step);
        let time_step = fill.time_step;
        ledger.note(Event::Intent { cause: fill.cause, credential: mark.clone(), time_step })?;
        Ok(Some(fill.cause))
    }
}

/// A walk that got to the redirect address, with the engine that made it.
struct Departed<'a> {
    url: Secret,
    driver: Box<dyn Driver + 'a>,
}

/// A walk that got no further.
struct Stuck {
    failure: Failure,
    /// Whether all that it submitted, if anything, was taken or never left.
    clean: bool,
}

/// What an engine submitted that is not answered, and whether any of it ended badly.
#[derive(Default, PartialEq, Eq)]
struct Spent {
    open: bool,
    badly: bool,
}

/// Failures that say something of the engine or of the page as it saw it: another one may get further.
fn leads_on(failure: &Failure) -> bool {
    use Failure::*;
    let eyes = matches!(failure, Barred(Obstacle::ContinueAs) | UnknownPage { .. } | Slow { .. });
    eyes || matches!(failure, Broken { part: Part::Browser, .. })
}

/// Troubles after which the same question may be asked again.
fn is_passing(failure: &Failure) -> bool {
    use Failure::*;
    matches!(
        failure,
        Unreachable { .. } | Insecure { .. } | BrokerDown { .. } | Throttled { .. } | Broken { .. }
    )
}
