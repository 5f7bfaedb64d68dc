//! Asks a person to log in where firstbell itself gets no further: the link through every channel, and the way back.

use std::pin::Pin;

use firstbell_core::failure::Failure;
use firstbell_core::invitation::{LIFE_MAX, Refusal};
use firstbell_core::notice::Severity;
use firstbell_core::token::Token;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;

use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::chat::{Attempt, Awaited, Paired, link_words, write};
use crate::halt::{self, Halt};
use crate::hands::Hands;
use crate::ports::{Message, Person, Returned, Soon};
use crate::returns::Ways;
use crate::shape::clock;

/// A chat that does not take the link is tried again.
const CHAT_TRIES: usize = 3;
const CHAT_PAUSE_MS: u64 = 20_000;
/// Somebody who sends many foreign tokens must not fill a telephone; the log has them all.
const TOLD_MAX: usize = 2;

/// Hears what becomes of asking a person.
pub trait Operator {
    /// The link is on its way, by this channel.
    fn asked(&self, at: Timestamp, channel: &str);
    /// It is not, or nobody can follow it.
    fn unasked(&self, at: Timestamp, why: &str);
    /// What came back was dropped.
    fn dropped(&self, at: Timestamp, why: &str);
}

/// What asking a person takes, beside the account's own hands.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The ways to him.
    pub channels: &'a [ChannelConfig],
    /// The chats through which he may come back.
    pub awaited: &'a Awaited,
    /// Who hears of it.
    pub operator: &'a dyn Operator,
}

/// A person is being waited for.
pub struct Call<'a> {
    stop: Halt,
    outcome: Pin<Box<dyn Future<Output = Result<Token, Failure>> + 'a>>,
}

impl<'a> Call<'a> {
    /// Sends the link and waits, as soon as somebody polls it.
    pub fn begin(hands: Hands<'a>, exchange: Exchange<'a>) -> Call<'a> {
        let stop = Halt::new();
        let own = stop.clone();
        let outcome = Box::pin(async move { wait(Hands { halt: &own, ..hands }, exchange).await });
        Call { stop, outcome }
    }

    /// What came of it.
    pub async fn ended(&mut self) -> Result<Token, Failure> {
        (&mut self.outcome).await
    }

    /// Waits no longer; an exchange that is under way has its moment.
    pub async fn end(self) -> Result<Token, Failure> {
        self.stop.ask();
        self.outcome.await
    }
}

async fn wait(hands: Hands<'_>, exchange: Exchange<'_>) -> Result<Token, Failure> {
    let vault = hands.stores.vault();
    let paired = |channel: &&ChannelConfig| {
        channel.takes_commands() && Paired::of(channel, vault).is_ok_and(|paired| paired.is_some())
    };
    let chats: Vec<&ChannelConfig> = exchange.channels.iter().filter(paired).collect();
    let ways = match Ways::listen(&hands.account.app.redirect, hands.account.callback.as_ref()).await {
        Ok(ways) => Some(ways),
        // A link that leads to no end is not sent.
        Err(closed) if chats.is_empty() => {
            exchange.operator.unasked(hands.clock.now(), &closed.to_string());
            return Err(Failure::NobodyCame { why: closed.to_string() });
        }
        Err(_) => None,
    };
    let attempt = exchange.awaited.wait(&hands.account.name);
    let mut person =
        Distant { hands, exchange, chats, ways, attempt, sends: FuturesUnordered::new(), told: 0 };
    let outcome = hands.invite(&mut person, LIFE_MAX).await;
    if let Some(ways) = person.ways {
        let _ = hands.halt.grace(halt::END, ways.close()).await;
    }
    outcome
}

/// The owner, wherever he is.
struct Distant<'a> {
    hands: Hands<'a>,
    exchange: Exchange<'a>,
    /// Those of the channels whose paired person may send the address back there.
    chats: Vec<&'a ChannelConfig>,
    ways: Option<Ways>,
    attempt: Attempt,
    sends: FuturesUnordered<Soon<'a, ()>>,
    told: usize,
}

impl<'a> Distant<'a> {
    /// Where a login can be made from: a listener at this machine's own address takes nothing that a telephone sends.
    fn place(&self) -> &'static str {
        let reached = self.hands.account.callback.is_some() || !self.chats.is_empty();
        if reached { ", on any device" } else { ", in a browser on the computer that runs firstbell" }
    }

    /// What is left to do at the end.
    fn rest(&self) -> &'static str {
        match (self.hands.account.callback.is_some(), self.chats.is_empty()) {
            (false, false) => {
                "; then send the whole address at which it ended to the paired chat, where the page does not say that it is done"
            }
            _ => "; firstbell does the rest",
        }
    }

    fn send(&self, message: &Message, wanted: impl Fn(&ChannelConfig) -> bool) {
        for channel in self.exchange.channels.iter().filter(|channel| wanted(channel)) {
            let (hands, operator, message) = (self.hands, self.exchange.operator, message.clone());
            self.sends.push(Box::pin(async move {
                let outside = Outside { http: hands.http, clock: hands.clock, time: TIME };
                match channel.deliver_patiently(hands.stores.vault(), outside, &message).await {
                    Ok(_) => operator.asked(hands.clock.now(), &channel.name),
                    Err(fault) => {
                        let why = format!("channel {}: {}. {}", channel.name, fault.why, fault.cure);
                        operator.unasked(hands.clock.now(), &why);
                    }
                }
            }));
        }
    }
}

impl Person for Distant<'_> {
    fn invite(&mut self, link: &str, until: Timestamp) {
        let account = &self.hands.account.name;
        let message = Message {
            severity: Severity::Critical,
            title: format!("{account}: please log in"),
            body: format!(
                "Open this link before {} (India){}, and log in as you always do{}. It is for you only: pass it to \
                 nobody.\n\n{link}",
                clock(until),
                self.place(),
                self.rest(),
            ),
            incident: format!("{account}/log-in"),
            over: false,
        };
        // The paired person gets the link in his chat, with what to do there.
        self.send(&message, |channel| self.chats.iter().all(|chat| chat.name != channel.name));
        let (hands, operator) = (self.hands, self.exchange.operator);
        let (chats, words) = (self.chats.clone(), link_words(link, until));
        self.sends.push(Box::pin(async move {
            let outside = Outside { http: hands.http, clock: hands.clock, time: TIME };
            let mut left = chats;
            for _ in 0..CHAT_TRIES {
                for (channel, outcome) in write(left.clone(), hands.stores, outside, &words).await {
                    match outcome {
                        Ok(()) => {
                            left.retain(|chat| chat.name != channel);
                            operator.asked(hands.clock.now(), channel);
                        }
                        Err(why) => operator.unasked(hands.clock.now(), &format!("channel {channel}: {why}")),
                    }
                }
                if left.is_empty() {
                    return;
                }
                hands.clock.rest(CHAT_PAUSE_MS).await;
            }
        }));
    }

    fn dropped(&mut self, carries_token: bool, why: &Refusal) {
        self.exchange.operator.dropped(self.hands.clock.now(), &why.to_string());
        self.told += 1;
        if !carries_token || self.told > TOLD_MAX {
            return;
        }
        let account = &self.hands.account.name;
        let message = Message {
            severity: Severity::Critical,
            title: format!("{account}: a foreign login token was rejected"),
            body: format!(
                "Somebody sent firstbell a login that does not belong to the link you were sent. It was dropped: {why}.\nIf it \
                 was you, open the newest link. If not, somebody may be trying to have you trade in an account of theirs."
            ),
            incident: format!("{account}/foreign-token"),
            over: false,
        };
        self.send(&message, |_| true);
    }

    fn next(&mut self) -> Soon<'_, Option<Returned>> {
        Box::pin(async {
            loop {
                tokio::select! {
                    biased;
                    Some(returned) = listened(&mut self.ways) => return Some(returned),
                    returned = self.attempt.next() => return returned,
                    Some(()) = self.sends.next(), if !self.sends.is_empty() => {}
                }
            }
        })
    }
}

/// What comes to the listener; never anything, where there is none.
async fn listened(ways: &mut Option<Ways>) -> Option<Returned> {
    match ways {
        Some(ways) => ways.next().await,
        None => std::future::pending().await,
    }
}
