//! Asks a person to log in where firstbell itself gets no further: the link through every channel, and the way back.

use std::pin::Pin;

use firstbell_core::failure::Failure;
use firstbell_core::invitation::{LIFE_MAX, Refusal};
use firstbell_core::notice::Severity;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;

use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::halt::{self, Halt};
use crate::hands::{Delivered, Hands};
use crate::ports::{Message, Person, Returned, Soon};
use crate::returns::{Closed, Ways};
use crate::shape::india;

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
    /// Where the account's lock is.
    pub state_dir: &'a std::path::Path,
    /// Who hears of it.
    pub operator: &'a dyn Operator,
}

/// A person is being waited for.
pub struct Call<'a> {
    stop: Halt,
    outcome: Pin<Box<dyn Future<Output = Result<Delivered, Failure>> + 'a>>,
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
    pub async fn ended(&mut self) -> Result<Delivered, Failure> {
        (&mut self.outcome).await
    }

    /// Waits no longer; an exchange that is under way has its moment.
    pub async fn end(self) -> Result<Delivered, Failure> {
        self.stop.ask();
        self.outcome.await
    }
}

async fn wait(hands: Hands<'_>, exchange: Exchange<'_>) -> Result<Delivered, Failure> {
    let registered = &hands.account.app.redirect;
    let ways = match Ways::listen(registered).await {
        Ok(ways) => ways,
        Err(closed) => return nobody(&hands, exchange.operator, &closed),
    };
    let mut person = Distant { hands, exchange, ways, sends: FuturesUnordered::new(), told: 0 };
    let outcome = hands.invite(exchange.state_dir, &mut person, LIFE_MAX).await;
    let _ = hands.halt.grace(halt::END, person.ways.close()).await;
    outcome
}

/// A link that leads to no end is not sent.
fn nobody(hands: &Hands<'_>, operator: &dyn Operator, closed: &Closed) -> Result<Delivered, Failure> {
    operator.unasked(hands.clock.now(), &closed.to_string());
    Err(Failure::NobodyCame { why: closed.to_string() })
}

/// The owner, wherever he is.
struct Distant<'a> {
    hands: Hands<'a>,
    exchange: Exchange<'a>,
    ways: Ways,
    sends: FuturesUnordered<Soon<'a, ()>>,
    told: usize,
}

impl<'a> Distant<'a> {
    fn send(&self, message: &Message) {
        for channel in self.exchange.channels {
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
                "Open this link before {}, on any device, and log in as you always do; firstbell does the rest. It is for you \
                 only: pass it to nobody.\n\n{link}",
                india(until)
            ),
            incident: format!("{account}/log-in"),
            over: false,
        };
        self.send(&message);
    }

    fn dropped(&mut self, carries_token: bool, why: &Refusal) {
        self.exchange.operator.dropped(self.hands.clock.now(), &why.to_string());
        self.told += 1;
        if !carries_token || self.told > TOLD_MAX {
            return;
        }
        let account = &self.hands.account.name;
        let message = Message {
            severity: Severity::Warning,
            title: format!("{account}: a foreign login token was rejected"),
            body: format!(
                "Somebody sent firstbell a login that does not belong to the link you were sent. It was dropped. ({why}.)\nIf it \
                 was you, open the newest link. If not, somebody may be trying to have you trade in an account of theirs."
            ),
            incident: format!("{account}/foreign-token"),
            over: false,
        };
        self.send(&message);
    }

    fn next(&mut self) -> Soon<'_, Option<Returned>> {
        Box::pin(async {
            loop {
                tokio::select! {
                    biased;
                    returned = self.ways.next() => return returned,
                    Some(()) = self.sends.next(), if !self.sends.is_empty() => {}
                }
            }
        })
    }
}
