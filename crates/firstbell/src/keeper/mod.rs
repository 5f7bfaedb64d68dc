//! One account, kept: look, decide, do the one next thing, write it down, and look again at every wake.

mod call;
mod face;

use std::path::Path;
use std::sync::Arc;

use firstbell_core::calendar::Calendar;
use firstbell_core::decide::{self, Decision, Probe, Reason, Step, View};
use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::notice::{self, Dates, Owner};
use firstbell_core::schedule::Schedule;
use firstbell_core::token::Token;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use self::call::ended;
pub use self::face::{Face, Shown};
use crate::album::FolderAlbum;
use crate::alerts::ChannelConfig;
use crate::board::Offer;
use crate::caller::{Call, Operator};
use crate::chat::Awaited;
use crate::checks;
use crate::clock::MachineClock;
use crate::config::Keeping;
use crate::deadman::Beat;
use crate::halt::Halt;
use crate::hands::Hands;
use crate::ports::Clock;
use crate::sinks;
use crate::standing::{self, Marks, Standing};

/// A store that cannot be used is tried again after this, then after twice as long, up to four minutes.
const BROKEN_PAUSE: SignedDuration = SignedDuration::from_secs(15);
/// When it cannot for so many times in a row, a person is told; that is within two minutes.
const BROKEN_TELLS: u32 = 3;

/// What another node writes wakes nobody here: a pause, an unlock, a secret.
const NODES_PAUSE: SignedDuration = SignedDuration::from_secs(20);

/// Hears what a keeper decides.
pub trait Listener {
    /// Another thing is next, or for another reason.
    fn decided(&self, at: Timestamp, decision: &Decision);
    /// Something could not be done.
    fn failed(&self, at: Timestamp, failure: &Failure);
}

/// What all keepers of a process share.
#[derive(Clone, Copy)]
pub struct House<'a> {
    /// Which days trade.
    pub calendar: &'a Calendar,
    /// Hours, and what else keeping asks.
    pub keeping: &'a Keeping,
    /// Where locks and evidence are.
    pub state_dir: &'a Path,
    /// The ways to a person.
    pub channels: &'a [ChannelConfig],
    /// The logins that wait for an address through a chat.
    pub awaited: &'a Awaited,
    /// How many log in at one time.
    pub gate: &'a Semaphore,
    /// Asks keepers to end between two steps: what is under way comes to its own end first.
    pub leave: &'a Halt,
}

/// Keeps one account.
pub struct Keeper<'a> {
    /// What the account is worked with.
    pub hands: Hands<'a>,
    /// Its mornings.
    pub schedule: Schedule,
    /// What it shares with the others.
    pub house: House<'a>,
    /// What is seen of it.
    pub face: &'a Face,
    /// Who hears it.
    pub listener: &'a dyn Listener,
    /// Who hears of what is asked of a person.
    pub operator: &'a dyn Operator,
    marks: Marks,
    probe: Option<Probe>,
    /// A person who was asked to log in.
    call: Option<Call<'a>>,
    /// Whether he was still needed at the last look.
    awaited: bool,
    /// How often in a row something of this machine was in the way.
    broken: u32,
}

impl<'a> Keeper<'a> {
    /// A keeper that has not looked yet.
    pub fn new(
        hands: Hands<'a>,
        schedule: Schedule,
        house: House<'a>,
        (face, listener, operator): (&'a Face, &'a dyn Listener, &'a dyn Operator),
    ) -> Keeper<'a> {
        Keeper {
            hands,
            schedule,
            house,
            face,
            listener,
            operator,
            marks: None,
            probe: None,
            call: None,
            awaited: false,
            broken: 0,
        }
    }

    /// The same with a look at how the account stands: who asks from now on is not told that nobody knows yet. What is in the way
    /// is said at the next look.
    pub fn having_looked(mut self) -> Keeper<'a> {
        let _said_later = self.look(self.hands.clock.now());
        self
    }

    /// Keeps the account until the word comes. Whoever calls it holds the account's lease.
    pub async fn keep(mut self) {
        self.go_on().await;
        // Whoever came in this moment is not sent away.
        if let Some(call) = self.call.take() {
            let _ended = call.end().await;
        }
    }

    async fn go_on(&mut self) {
        let mut last = None;
        while !self.hands.halt.is_asked() && !self.house.leave.is_asked() {
            let now = self.hands.clock.now();
            let at = match self.look(now) {
                Ok((decision, at)) => {
                    self.call_off().await;
                    let news = (decision.step, decision.because);
                    if last.replace(news) != Some(news) {
                        self.listener.decided(now, &decision);
                    }
                    if decision.at <= now && decision.step != Step::Look {
                        // On the heap: a keeper that only waits, as nearly all do, is small.
                        match self.beside_call(decision.step).await {
                            Ok(()) | Err(Failure::Interrupted) => {
                                self.broken = 0;
                                continue;
                            }
                            Err(failure) => self.broken(&failure),
                        }
                    } else {
                        let at = if self.hands.stores.is_shared() { at.min(now + NODES_PAUSE) } else { at };
                        at.max(now + SignedDuration::from_secs(1))
                    }
                }
                Err(failure) => {
                    // What cannot be read is not handed out.
                    self.face.shown.borrow_mut().iter_mut().for_each(|shown| shown.served = false);
                    let at = self.broken(&failure);
                    self.face.row.post(Offer::Withheld { why: failure.to_string(), again_at: Some(at) }, now);
                    at
                }
            };
            tokio::select! {
                biased;
                () = self.hands.halt.asked() => return,
                () = self.house.leave.asked() => return,
                () = self.face.nudged.notified() => self.marks = None,
                outcome = ended(&mut self.call) => self.came(outcome),
                () = self.hands.clock.until(at) => if self.hands.stores.is_shared() { self.marks = None },
            }
        }
    }

    /// Something of this machine is in the way: said, and tried again soon.
    fn broken(&mut self, failure: &Failure) -> Timestamp {
        let now = self.hands.clock.now();
        self.listener.failed(now, failure);
        let pause = BROKEN_PAUSE * 2_i32.pow(self.broken.min(4));
        self.broken += 1;
        if self.broken >= BROKEN_TELLS {
            self.cry(failure, now);
        }
        now + pause
    }

    /// A history that cannot be written can tell of no trouble; a person hears of it all the same, once, in the morning.
    fn cry(&self, failure: &Failure, now: Timestamp) {
        let slot = self.schedule.around(self.house.calendar, now);
        let due = slot.filter(|slot| !slot.quiet && slot.check_at <= now && now < slot.closes_at);
        let Some(slot) = due else { return };
        let notice = notice::broken(&self.owner(), failure, (now, slot.login_at));
        let mut shown = self.face.shown.borrow_mut();
        let (at, because) = (now, Reason::Due);
        let decision = Decision { step: Step::Look, at, because };
        let words = serde_json::json!({ "account": self.hands.account.name, "failure": failure.to_string() });
        let shown = shown.get_or_insert_with(|| Shown {
            at,
            decision,
            served: false,
            notice: None,
            open: None,
            told: None,
            words,
        });
        (shown.notice, shown.open) = (Some(notice), None);
        self.face.looked.notify_one();
    }

    fn owner(&self) -> Owner<'a> {
        let (account, keeping) = (self.hands.account, self.house.keeping);
        let address_changed = keeping.egress.as_ref().and_then(|egress| egress.changed);
        let dates = Dates { address_changed, ..account.dates };
        Owner { account: &account.name, morning_line: keeping.telling.morning_line, dates }
    }

    /// What is next, and when what is shown is no longer true.
    fn look(&mut self, now: Timestamp) -> Result<(Decision, Timestamp), Failure> {
        if self.marks.is_none() {
            self.marks = standing::marks(&self.hands);
        }
        let standing = Standing::of(&self.hands, &self.marks)?;
        let view = standing.view(&self.schedule, self.house.calendar, self.probe);
        let decision = decide::decide(&view, now);
        self.awaited = decide::awaits_person(&view, now);
        let owner = self.owner();
        let shown = Shown {
            at: now,
            decision,
            served: decide::serve(&view, now).is_ok(),
            notice: notice::due(&view, &owner, now),
            open: notice::open(&view, &owner, now),
            told: standing.state.told.clone(),
            words: standing::words(&self.hands, &standing, &view, now),
        };
        let at = notice::look_at(&view, now).map_or(decision.at, |at| at.min(decision.at));
        let turns_at = decide::turns_at(&view, now).unwrap_or(Timestamp::MAX);
        self.post(&view, (now, turns_at), standing.token.clone());
        self.face.row.tell(&shown.words);
        self.face.shown.replace(Some(shown));
        self.face.looked.notify_one();
        Ok((decision, at.min(turns_at)))
    }

    /// Says what programs may be given from now on.
    fn post(&self, view: &View<'_>, (now, turns_at): (Timestamp, Timestamp), token: Option<Token>) {
        let row = &self.face.row;
        row.set_clock(now, MachineClock::start().now());
        let why = match (decide::serve(view, now), token) {
            (Ok(()), Some(token)) => return row.post(Offer::Token(Arc::new(token), turns_at), now),
            (Ok(()), None) => "there is no token yet".to_owned(),
            (Err(why), _) => why.to_string(),
        };
        let next = decide::prospect(view, now);
        let again_at = (!next.because.calls_for_a_human()).then(|| next.at.max(now));
        row.post(Offer::Withheld { why, again_at }, now);
    }

    async fn perform(&mut self, step: Step) -> Result<(), Failure> {
        match step {
            Step::Look => Ok(()),
            Step::Check => {
                // As many browsers at one time as for logins.
                let turn = self.turn(self.house.gate.acquire()).await?;
                let _turn = turn.expect("nobody closes the gate");
                self.beat(Beat::Start).await;
                let lacks = self.hands.halt.or(checks::beforehand(&self.hands)).await;
                let mut lacks = lacks.ok_or(Failure::Interrupted)?;
                let unreached = self.hands.halt.or(checks::channels(&self.hands, self.house.channels)).await;
                lacks.extend(unreached.unwrap_or_default());
                self.hands.attest()?.note(Event::Checked { lacks })
            }
            Step::Probe => self.ask().await.map(drop),
            Step::Login => self.log_in().await,
            Step::Invite => self.invite().await,
            Step::Assess => self.assess().await,
        }
    }

    /// Asks the broker about the current token. A refusal is a death.
    async fn ask(&mut self) -> Result<Option<bool>, Failure> {
        let Some(token) = Standing::of(&self.hands, &self.marks)?.token else { return Ok(None) };
        let answer = self.hands.halt.or(self.hands.prove(&token)).await.ok_or(Failure::Interrupted)?;
        let alive = match answer {
            Ok(()) => Some(true),
            Err(Failure::DeadOnArrival | Failure::ForeignToken) => Some(false),
            Err(_) => None,
        };
        self.probe = Some(Probe { at: self.hands.clock.now(), alive });
        if alive == Some(false) {
            self.hands.attest()?.note(Event::Died { generation: token.generation })?;
        }
        Ok(alive)
    }

    async fn log_in(&mut self) -> Result<(), Failure> {
        let turn = self.turn(self.house.gate.acquire()).await?;
        let _turn = turn.expect("nobody closes the gate");
        let came = self.hands.clock.now();
        let seat = self.turn(self.hands.turn()).await??;
        // Much may have happened while we waited: a login by hand, a pause, a word of the broker's.
        self.marks = None;
        let (decision, _) = self.look(self.hands.clock.now())?;
        if decision.step != Step::Login || decision.at > self.hands.clock.now() {
            return Ok(());
        }
        let before = self.hands.attest()?.state().trouble.clone();
        (self.probe, self.marks) = (None, None);
        let album = FolderAlbum::of(self.house.state_dir, &self.hands.account.name, came);
        let failure = match self.hands.log_in(Some(seat.before), Some(&album)).await {
            // What is handed out from now on goes to the sinks by itself.
            Ok(_) => return Ok(()),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => failure,
        };
        self.listener.failed(self.hands.clock.now(), &failure);
        // What ended before it began left no trace, and would be tried again at once.
        let mut ledger = self.hands.attest()?;
        if ledger.state().trouble == before && !matches!(failure, Failure::Stopped(_)) {
            ledger.note(Event::Failed { code: failure.code().into(), ask: failure.ask() })?;
        }
        Ok(())
    }

    /// Waits for a turn. Whoever only waits is in the middle of nothing, and may go.
    async fn turn<T>(&self, comes: impl Future<Output = T>) -> Result<T, Failure> {
        let came = self.hands.halt.or(self.house.leave.or(comes)).await;
        came.flatten().ok_or(Failure::Interrupted)
    }

    /// The verdict: the token proven over REST and, where the plan includes data, by the ticker; the clock; the sinks; and
    /// the address that orders will come from.
    async fn assess(&mut self) -> Result<(), Failure> {
        let now = self.hands.clock.now();
        let standing = Standing::of(&self.hands, &self.marks)?;
        let may = decide::may_probe(&standing.view(&self.schedule, self.house.calendar, self.probe), now);
        // A death that only now is known may still be healed before there is a verdict.
        if may && self.ask().await? == Some(false) {
            return Ok(());
        }
        let standing = Standing::of(&self.hands, &self.marks)?;
        let view = standing.view(&self.schedule, self.house.calendar, self.probe);
        let served = decide::serve(&view, self.hands.clock.now()).is_ok();
        let lacks = self.hands.halt.or(self.lacks(standing.token.filter(|_| served))).await;
        let lacks = lacks.ok_or(Failure::Interrupted)?;
        // A holiday silences alarms.
        let slot = self.schedule.around(self.house.calendar, self.hands.clock.now());
        let quiet = slot.is_some_and(|slot| slot.quiet);
        let beat = if lacks.is_empty() || quiet { Beat::Good } else { Beat::Bad };
        self.beat(beat).await;
        self.hands.attest()?.note(Event::Assessed { lacks })
    }

    async fn beat(&self, beat: Beat) {
        if let Some(switch) = &self.hands.account.switch {
            let _told = self.hands.halt.or(switch.tell(self.hands.http, beat)).await;
        }
    }

    async fn lacks(&self, token: Option<Token>) -> Vec<String> {
        let mut lacks = checks::ground(&self.hands).await;
        match token {
            None => lacks.push("token".into()),
            Some(token) => {
                if self.hands.account.data && !checks::ticks(&self.hands, &token).await {
                    lacks.push("ticker".into());
                }
                let landings = &self.face.row.landings;
                // One that is on its way may still arrive.
                let _late = tokio::time::timeout(sinks::TIME, landings.settled(token.generation)).await;
                let without = landings.without(token.generation);
                lacks.extend(without.iter().map(|name| format!("sink {name}")));
            }
        }
        if let Some(egress) = &self.house.keeping.egress
            && !checks::comes_from(&self.hands, egress).await
        {
            lacks.push("egress address".into());
        }
        lacks
    }
}
