//! Reads what people write to a bot: one reader of a bot on this machine, nothing twice, and patience where nobody answers.
//!
//! A message is acted on only after Telegram was told that we have it: whatever is killed in between is lost, and the person sends
//! it again; nothing is ever done twice.

use std::collections::VecDeque;

use firstbell_core::budget::Fingerprint;
use firstbell_core::failure::Failure;
use jiff::{SignedDuration, Timestamp};

use super::clerk::Clerk;
use super::{Chat, alarm};
use crate::alerts::{Bot, Deaf, Heard, Spoken};
use crate::halt::Halt;
use crate::ports::ChannelFault;
use crate::stores::{self, FolderLease};

/// Another process reads: looked at again after this.
const STANDBY_MS: u64 = 1_000;
/// The first pause after a fault; each further one is twice as long.
const PAUSE_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 60_000;
/// Nobody is made to wait longer than this by a provider's word.
const WAIT_MAX_S: u32 = 3_600;
/// After somebody else's reading. The reading before ours ends meanwhile, where it was our own before a restart.
const TAKEN_MS: u64 = 5_000;
/// Two within this are somebody else.
const TAKEN_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// An answer without news that came sooner than this was not waited for.
const QUICK_MS: u64 = 300;
/// As many numbers of updates are remembered.
const KNOWN_MAX: usize = 256;

/// The right to read one bot's messages. The kernel lets it go when the process ends, however it ends.
#[derive(Debug)]
pub struct Hold {
    token: Fingerprint,
    _lease: FolderLease,
}

impl Hold {
    /// By the token, and not by the channel's name: two channels may have one bot.
    pub(super) fn take(chat: &Chat<'_>, bot: &Bot<'_>) -> Result<Option<Hold>, Failure> {
        let token = chat.stores.fingerprint("bot", bot.token());
        let name = format!("bot-{}", token.0.get(..16).unwrap_or(&token.0));
        let lease = stores::try_lease(chat.state_dir, &name)?;
        Ok(lease.map(|lease| Hold { token, _lease: lease }))
    }
}

/// The reading of one bot.
pub(super) struct Line<'a> {
    chat: Chat<'a>,
    clerk: Clerk<'a>,
    hold: Option<Hold>,
    /// Messages that Telegram does not know yet that we have.
    held: Vec<Spoken>,
    /// What tells it.
    offset: Option<i64>,
    known: VecDeque<i64>,
    /// Faults in a row, and the last one's words: the same ones are not said again.
    faults: u32,
    said: Option<String>,
    /// When somebody else was last seen reading.
    taken: Option<Timestamp>,
}

impl<'a> Line<'a> {
    pub(super) fn new(chat: Chat<'a>, hold: Option<Hold>) -> Line<'a> {
        Line {
            chat,
            clerk: Clerk::new(chat),
            hold,
            held: Vec::new(),
            offset: None,
            known: VecDeque::new(),
            faults: 0,
            said: None,
            taken: None,
        }
    }

    pub(super) async fn keep(mut self, leave: &Halt) {
        while !leave.is_asked() {
            let rest_ms = self.turn(leave).await;
            if rest_ms > 0 {
                let _ = leave.or(self.chat.clock.rest(rest_ms)).await;
            }
        }
    }

    /// One call, and what follows from it; gives the pause before the next one.
    async fn turn(&mut self, leave: &Halt) -> u64 {
        let bot = match self.bot() {
            Ok(Some(bot)) => bot,
            Ok(None) => {
                self.say_once("another firstbell reads this bot's messages");
                return STANDBY_MS;
            }
            Err(failure) => return self.pause(&format!("{failure}. {}", failure.cure()), None),
        };
        let began_ms = self.chat.clock.run_ms();
        let heard = match self.offset {
            None => match leave.or(bot.hear(None, true)).await {
                Some(heard) => heard,
                None => return 0,
            },
            // What is confirmed by this call must be done; it does not wait for news.
            offset => bot.hear(offset, false).await,
        };
        match heard {
            Ok(heard) => {
                (self.faults, self.said) = (0, None);
                let idle = heard.is_empty() && self.held.is_empty();
                let due = std::mem::take(&mut self.held);
                self.take(heard);
                for spoken in due {
                    self.clerk.take(&bot, &spoken).await;
                }
                let quick = self.chat.clock.run_ms() - began_ms < QUICK_MS;
                if idle && quick { STANDBY_MS } else { 0 }
            }
            Err(Deaf::Taken { webhook }) => self.taken(webhook).await,
            Err(Deaf::Fault(ChannelFault { why, cure, wait_s, .. })) => {
                self.pause(&format!("{why}. {cure}"), wait_s)
            }
        }
    }

    /// The bot with the token of now, where this process is the one that reads it.
    fn bot(&mut self) -> Result<Option<Bot<'a>>, Failure> {
        let bot = self.chat.bot()?;
        let token = self.chat.stores.fingerprint("bot", bot.token());
        if self.hold.as_ref().is_none_or(|hold| hold.token != token) {
            self.hold = None;
            self.hold = Hold::take(&self.chat, &bot)?;
        }
        Ok(self.hold.is_some().then_some(bot))
    }

    /// Notes what came. A number that was seen before is nothing new, whatever it brings.
    fn take(&mut self, heard: Vec<Heard>) {
        self.offset = heard.iter().map(|heard| heard.update.saturating_add(1)).max();
        for Heard { update, spoken } in heard {
            if self.known.contains(&update) {
                continue;
            }
            self.known.truncate(KNOWN_MAX - 1);
            self.known.push_front(update);
            self.held.extend(spoken);
        }
    }

    /// Somebody else reads. The first time it may be our own reading of before a restart.
    async fn taken(&mut self, webhook: bool) -> u64 {
        let now = self.chat.clock.now();
        let again = self.taken.is_some_and(|last| now.duration_since(last).abs() < TAKEN_WITHIN);
        self.taken = Some(now);
        if again || webhook {
            alarm::raise(&self.chat, webhook).await;
        } else {
            self.chat.office.note(&self.chat.channel.name, "another reader ended our reading (409)");
        }
        TAKEN_MS + jitter_ms(1_000)
    }

    fn pause(&mut self, why: &str, wait_s: Option<u32>) -> u64 {
        if self.said.as_deref() != Some(why) {
            self.said = Some(why.to_owned());
            self.chat.office.fault(&self.chat.channel.name, why);
        }
        let pause_ms = (PAUSE_MS << self.faults.min(10)).min(PAUSE_MAX_MS);
        self.faults += 1;
        let wait_ms = u64::from(wait_s.unwrap_or(0).min(WAIT_MAX_S)) * 1_000;
        wait_ms.max(pause_ms / 2) + jitter_ms(pause_ms)
    }

    fn say_once(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            self.said = Some(what.to_owned());
            self.chat.office.note(&self.chat.channel.name, what);
        }
    }
}

/// Chance keeps two of us from knocking together for ever; without chance there is none.
fn jitter_ms(most: u64) -> u64 {
    let mut random = [0; 8];
    let _ = getrandom::fill(&mut random);
    u64::from_le_bytes(random) % most.max(1)
}
