//! What one message means and what is done: a paired person is answered, a pairing is made, and everybody else hears nothing.

use std::time::Duration;

use firstbell_core::failure::Failure;
use jiff::{SignedDuration, Timestamp};

use super::pairing::{Ended, Pairing};
use super::words::{self, Meaning};
use super::{Chat, Handed};
use crate::alerts::{Bot, Spoken};
use crate::returns;
use firstbell_core::secret::Secret;

/// What was sent longer ago than this is not meant any more: a pause of yesterday must not stop today's login.
const OLD: SignedDuration = SignedDuration::from_mins(2);
/// The same hint is given once in this time.
const HINT_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Strangers cost one line of the log in this time.
const STRANGERS_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Longer than the way back of any login.
const ADDRESS_BYTES_MAX: usize = 4096;
/// A status of many accounts is cut: for one phone screen or a few.
const ANSWER_LETTERS_MAX: usize = 3_500;
/// An exchange, with its proof.
const EXCHANGE: Duration = Duration::from_secs(60);

/// Who reads messages.
pub(super) struct Clerk<'a> {
    chat: Chat<'a>,
    hinted: Option<Timestamp>,
    late: Option<Timestamp>,
    strangers: u32,
    strangers_told: Option<Timestamp>,
}

impl<'a> Clerk<'a> {
    pub(super) fn new(chat: Chat<'a>) -> Clerk<'a> {
        Clerk { chat, hinted: None, late: None, strangers: 0, strangers_told: None }
    }

    pub(super) async fn take(&mut self, bot: &Bot<'_>, spoken: &Spoken) {
        if let Err(failure) = self.read(bot, spoken).await {
            self.chat.office.fault(&self.chat.channel.name, &format!("{failure}. {}", failure.cure()));
        }
    }

    async fn read(&mut self, bot: &Bot<'_>, spoken: &Spoken) -> Result<(), Failure> {
        let now = self.chat.clock.now();
        let late = now.duration_since(spoken.at).abs() > OLD;
        let paired = self.chat.paired()?;
        if !late && self.pair(bot, spoken, now).await? {
            return Ok(());
        }
        match paired {
            Some(paired) if paired.spoke(spoken) => match (spoken.own, late) {
                (false, _) => self.note("a message that was forwarded, or that a bot wrote, was dropped"),
                (true, true) => {
                    self.note("a message that was sent more than two minutes ago was dropped");
                    if due(&mut self.late, now, HINT_EVERY) {
                        self.say(bot, spoken, words::LATE).await;
                    }
                }
                (true, false) => self.obey(bot, spoken, now).await,
            },
            _ => self.stranger(now),
        }
        Ok(())
    }

    /// Whether the message was the code of a pairing, right or wrong.
    async fn pair(&self, bot: &Bot<'_>, spoken: &Spoken, now: Timestamp) -> Result<bool, Failure> {
        let (channel, vault) = (self.chat.channel, self.chat.stores.vault());
        let Some(pairing) = Pairing::of(channel, vault)? else { return Ok(false) };
        let Some(next) = pairing.hear(spoken, now) else { return Ok(false) };
        match &next {
            Pairing::Done(paired) => {
                let before = self.chat.paired()?.filter(|before| !before.spoke(spoken));
                paired.keep(channel, vault)?;
                self.note("a chat was paired");
                let greeting = format!("{}\n\n{}", words::PAIRED, words::HELP);
                self.say(bot, spoken, &greeting).await;
                if let Some(before) = before {
                    // He may have blocked the bot long ago.
                    let _ = bot.say(before.chat, words::REPLACED).await;
                }
            }
            Pairing::Ended(Ended::Seen) => self.note("the code of a pairing came in a group, and is spent"),
            Pairing::Ended(Ended::Wrong) => self.note("too many wrong codes: the pairing is over"),
            Pairing::Open { left, .. } => {
                self.note(&format!("a wrong code of a pairing; {left} more end it"));
            }
        }
        next.keep(channel, vault)?;
        Ok(true)
    }

    async fn obey(&mut self, bot: &Bot<'_>, spoken: &Spoken, now: Timestamp) {
        match words::meaning(spoken.text.expose()) {
            Meaning::Command(command) => {
                self.note(&format!("the paired chat asks: {}", command.name()));
                let answer = self.chat.office.obey(&command);
                let short: String = answer.chars().take(ANSWER_LETTERS_MAX).collect();
                self.say(bot, spoken, &short).await;
            }
            Meaning::Help => self.say(bot, spoken, &format!("{}\n\n{}", words::PAIRED, words::HELP)).await,
            Meaning::Address(address) => self.hand_on(bot, spoken, address).await,
            Meaning::Unknown => {
                if due(&mut self.hinted, now, HINT_EVERY) {
                    self.note("the paired chat wrote what is no command");
                    self.say(bot, spoken, words::HINT).await;
                }
            }
        }
    }

    /// An address goes to the login that waits for it; a request token stays in no chat, whosever it is.
    async fn hand_on(&self, bot: &Bot<'_>, spoken: &Spoken, address: &str) {
        let carries_token = returns::carries_token(address);
        let handed = if address.len() > ADDRESS_BYTES_MAX {
            Some(Handed::Rejected(vec!["it is too long for an address of a login".into()]))
        } else {
            let url = Secret::new(address.to_owned());
            tokio::time::timeout(EXCHANGE, self.chat.awaited.hand_on(&url, carries_token)).await.ok()
        };
        let deleted = !carries_token || bot.delete(spoken.chat, spoken.message).await.is_ok();
        let mut answer = match handed {
            Some(Handed::Accepted(account)) => format!("Accepted: {account} has a proven token."),
            Some(Handed::Rejected(whys)) => format!("Rejected, and dropped. {}.", whys.join("; ")),
            Some(Handed::Nobody) => words::NOBODY.to_owned(),
            None => "It is not known yet what became of it: ask /status in a minute.".to_owned(),
        };
        self.note(&format!("an address was pasted. {answer}"));
        if !deleted {
            answer += "\nThe message with the address could not be deleted here: please delete it yourself.";
        }
        self.say(bot, spoken, &answer).await;
    }

    fn stranger(&mut self, now: Timestamp) {
        self.strangers += 1;
        if due(&mut self.strangers_told, now, STRANGERS_EVERY) {
            self.note(&format!("dropped unread: {} of a chat that is not paired", count(self.strangers)));
            self.strangers = 0;
        }
    }

    async fn say(&self, bot: &Bot<'_>, spoken: &Spoken, words: &str) {
        if let Err(fault) = bot.say(spoken.chat, words).await {
            let why = format!("an answer could not be sent: {}. {}", fault.why, fault.cure);
            self.chat.office.fault(&self.chat.channel.name, &why);
        }
    }

    fn note(&self, what: &str) {
        self.chat.office.note(&self.chat.channel.name, what);
    }
}

/// Whether as much time is over since the last time; then this is the last time.
fn due(last: &mut Option<Timestamp>, now: Timestamp, every: SignedDuration) -> bool {
    let due = last.is_none_or(|last| now.duration_since(last).abs() >= every);
    if due {
        *last = Some(now);
    }
    due
}

fn count(messages: u32) -> String {
    match messages {
        1 => "a message".into(),
        more => format!("{more} messages"),
    }
}
