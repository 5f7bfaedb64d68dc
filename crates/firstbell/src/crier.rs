//! Tells a person what is due to be told, through the account's channels, until one of them took it.

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::notice::{Incident, Notice, Severity};
use jiff::{SignedDuration, Timestamp};

use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::hands::Hands;
use crate::keeper::Face;
use crate::ports::{ChannelFault, Message, Receipt};

/// After a round in which no channel took a message, the next one begins this much later.
const AGAIN: SignedDuration = SignedDuration::from_secs(20);
/// A provider may ask for more; a person must hear.
const WAIT_MAX_S: u32 = 120;

/// Hears what was told, and what could not be.
pub trait Witness {
    /// A channel took it; none where there are no channels and the log is all there is.
    fn told(&self, at: Timestamp, notice: &Notice, channel: Option<&str>);
    /// A channel did not take it.
    fn deaf(&self, at: Timestamp, channel: &str, why: &str);
}

/// Cries until the word comes. What was not told when the process ends is due again when it begins: what was told is an
/// event.
pub async fn cry(hands: Hands<'_>, face: &Face, channels: &[ChannelConfig], witness: &dyn Witness) {
    // What a channel took and could not be written down: only the writing is tried again.
    let mut taken: Option<Key> = None;
    // What no channel took, and when it is tried again.
    let mut paused: Option<(Key, Timestamp)> = None;
    loop {
        let due = face.shown().and_then(|shown| shown.notice);
        let now = hands.clock.now();
        let held = paused.filter(|(key, at)| due.as_ref().map(key_of) == Some(*key) && *at > now);
        let at = match (due, held) {
            (None, _) => None,
            (Some(_), Some((_, at))) => Some(at),
            (Some(notice), None) => {
                let key = key_of(&notice);
                let told = match taken == Some(key) {
                    true => None,
                    false => tell(&hands, &notice, channels, witness).await,
                };
                if told.is_none() {
                    taken = Some(key);
                }
                if told.is_none() && write_down(&hands, &notice).is_ok() {
                    taken = None;
                    face.told();
                }
                let at = hands.clock.now() + told.unwrap_or(AGAIN);
                paused = Some((key, at));
                Some(at)
            }
        };
        let again = async {
            match at {
                Some(at) => hands.clock.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = hands.halt.asked() => return,
            () = face.changed() => {}
            () = again => {}
        }
    }
}

/// What makes two notices the same one.
type Key = (Incident, Severity, bool);

fn key_of(notice: &Notice) -> Key {
    (notice.incident, notice.severity, notice.over)
}

fn write_down(hands: &Hands<'_>, notice: &Notice) -> Result<(), Failure> {
    let Notice { incident, severity, over, .. } = notice;
    let told = Event::Told { incident: *incident, severity: *severity, over: *over };
    hands.attest()?.note(told)
}

/// One round: every channel that the severity is for. One that takes it is enough; where none does, says after which pause the
/// next round begins.
async fn tell(
    hands: &Hands<'_>,
    notice: &Notice,
    channels: &[ChannelConfig],
    witness: &dyn Witness,
) -> Option<SignedDuration> {
    let message = Message {
        severity: notice.severity,
        title: notice.title.clone(),
        body: notice.body.clone(),
        incident: format!("{}/{}", hands.account.name, notice.incident.as_str()),
        over: notice.over,
    };
    // Who heard of trouble hears that it is over.
    let wanted: Vec<_> =
        channels.iter().filter(|channel| notice.over || notice.severity >= channel.severity).collect();
    if wanted.is_empty() {
        witness.told(hands.clock.now(), notice, None);
    }
    let sends = wanted.iter().map(|channel| async {
        let outcome = hands.halt.or(send(hands, channel, &message)).await;
        (channel.name.as_str(), outcome)
    });
    let (mut taken, mut wait_s) = (wanted.is_empty(), None);
    for (name, outcome) in futures_util::future::join_all(sends).await {
        match outcome {
            Some(Ok(_receipt)) => {
                taken = true;
                witness.told(hands.clock.now(), notice, Some(name));
            }
            Some(Err(fault)) => {
                witness.deaf(hands.clock.now(), name, &format!("{}. {}", fault.why, fault.cure));
                wait_s = wait_s.max(fault.wait_s);
            }
            None => {}
        }
    }
    let wait = SignedDuration::from_secs(wait_s.unwrap_or(0).min(WAIT_MAX_S).into());
    (!taken).then(|| AGAIN.max(wait))
}

/// Its secrets are in memory for this one message.
async fn send(
    hands: &Hands<'_>,
    channel: &ChannelConfig,
    message: &Message,
) -> Result<Receipt, ChannelFault> {
    let outside = Outside { http: hands.http, clock: hands.clock, time: TIME };
    match channel.open(hands.stores.vault(), outside) {
        Ok(open) => open.send(message).await,
        Err(failure) => {
            Err(ChannelFault { why: failure.to_string(), cure: failure.cure(), wait_s: None, again: false })
        }
    }
}
