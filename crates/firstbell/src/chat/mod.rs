//! A bot that hears: the few commands of one paired person, and the way back of a login that he makes.

mod alarm;
mod awaited;
mod clerk;
mod line;
mod pairing;
mod phone;
mod words;

use std::path::Path;
use std::time::Duration;

use firstbell_core::failure::Failure;

pub use self::awaited::{Attempt, Awaited, Handed};
pub use self::line::Hold;
pub use self::pairing::{Ended, LIFE, Paired, Pairing, TRIES};
pub use self::phone::{Links, Phone};
pub use self::words::{Command, link as link_words};
use crate::alerts::{Bot, ChannelConfig, Outside, TIME};
use crate::halt::Halt;
use crate::ports::{Clock, Http};
use crate::stores::Stores;

/// How long a chat may take for its last answer when what it stands beside is over.
const LAST: Duration = Duration::from_secs(8);

/// Who answers a paired person, and hears what happens in the chat.
pub trait Office {
    /// Does what a command says, and gives the answer. Nothing secret is in it.
    fn obey(&self, command: &Command) -> String;
    /// Something happened that belongs into the log; nothing that somebody wrote is in it.
    fn note(&self, channel: &str, what: &str);
    /// Something could not be done.
    fn fault(&self, channel: &str, why: &str);
}

/// One channel whose bot is listened to, with what that needs.
#[derive(Clone, Copy)]
pub struct Chat<'a> {
    /// The channel.
    pub channel: &'a ChannelConfig,
    /// All channels: the others hear where somebody else reads this one.
    pub channels: &'a [ChannelConfig],
    /// The vault, and the mark of a token.
    pub stores: &'a Stores,
    /// Where the lock is.
    pub state_dir: &'a Path,
    /// Calls out.
    pub http: &'a dyn Http,
    /// The machine's own time: messages are dated by it.
    pub clock: &'a dyn Clock,
    /// Who answers.
    pub office: &'a dyn Office,
    /// The logins that wait for an address.
    pub awaited: &'a Awaited,
}

impl<'a> Chat<'a> {
    /// Makes this process the one that reads this bot's messages, while the result lives; none where another one of this state
    /// folder does.
    ///
    /// # Errors
    /// Where the token cannot be had, or the lock not be opened.
    pub fn hold(&self) -> Result<Option<Hold>, Failure> {
        Hold::take(self, &self.bot()?)
    }

    /// Reads and answers until the word comes; stands by while another process reads.
    pub async fn keep(&self, hold: Option<Hold>, leave: &Halt) {
        line::Line::new(*self, hold).keep(leave).await;
    }

    /// The chat that is obeyed.
    ///
    /// # Errors
    /// Where the vault cannot be read.
    pub fn paired(&self) -> Result<Option<Paired>, Failure> {
        Paired::of(self.channel, self.stores.vault())
    }

    fn bot(&self) -> Result<Bot<'a>, Failure> {
        let bot = self.channel.bot(self.stores.vault(), self.outside())?;
        Ok(bot.expect("whoever makes a chat has seen that the channel takes commands"))
    }

    fn outside(&self) -> Outside<'a> {
        Outside { http: self.http, clock: self.clock, time: TIME }
    }
}

/// Writes to the paired person of each of these channels; says by name who took it, and why not.
pub async fn write<'c>(
    channels: impl IntoIterator<Item = &'c ChannelConfig>,
    stores: &Stores,
    outside: Outside<'_>,
    words: &str,
) -> Vec<(&'c str, Result<(), String>)> {
    let mut told = Vec::new();
    for channel in channels.into_iter().filter(|channel| channel.takes_commands()) {
        let paired = Paired::of(channel, stores.vault());
        let open = paired.and_then(|paired| Ok(paired.zip(channel.bot(stores.vault(), outside)?)));
        let outcome = match open {
            Ok(None) => continue,
            Ok(Some((paired, bot))) => {
                let said = bot.say(paired.chat, words).await;
                said.map_err(|fault| format!("{}. {}", fault.why, fault.cure))
            }
            Err(failure) => Err(format!("{failure}. {}", failure.cure())),
        };
        told.push((channel.name.as_str(), outcome));
    }
    told
}

/// Does work with chats beside it, and leaves them a moment for their last answer.
pub async fn beside<T>(work: impl Future<Output = T>, chats: impl Future<Output = ()>, leave: &Halt) -> T {
    let mut chats = std::pin::pin!(chats);
    let mut over = false;
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            () = &mut chats, if !over => over = true,
        }
    };
    leave.ask();
    if !over {
        let _ = tokio::time::timeout(LAST, chats).await;
    }
    done
}
