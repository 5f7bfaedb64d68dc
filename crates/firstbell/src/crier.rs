//! Tells a person what is due to be told, through the account's channels, in the owner's order, until that is enough.

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::notice::Notice;
use firstbell_core::outbox::{Answer, Key, Next, Outbox, Route};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};

use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::hands::Hands;
use crate::keeper::Face;
use crate::ports::{ChannelFault, Message, Receipt};

/// What was told and could not be written down is written after this; it is not told again.
const AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// Hears what was told, and what could not be.
pub trait Witness {
    /// A channel took it; none where there are no channels and the log is all there is.
    fn told(&self, at: Timestamp, notice: &Notice, channel: Option<&str>);
    /// A channel did not take it.
    fn deaf(&self, at: Timestamp, channel: &str, why: &str);
}

/// The ways to a person, and how long a message may go unproven before the next ones are told.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// The channels.
    pub channels: &'a [ChannelConfig],
    /// How long.
    pub patience: SignedDuration,
}

/// Cries until the word comes. What was not told when the process ends is due again when it begins: what was told, and by
/// which channel, is an event.
pub async fn cry(hands: Hands<'_>, face: &Face, ways: Ways<'_>, witness: &dyn Witness) {
    let routes: Vec<Route> = ways.channels.iter().map(|channel| channel.route.clone()).collect();
    let (mut outbox, mut unwritten, mut sends) = (Outbox::default(), Vec::new(), FuturesUnordered::new());
    loop {
        write_down(&hands, face, &mut unwritten);
        let (notice, is_new) = turn(face, &mut outbox, &unwritten, hands.clock.now());
        let now = hands.clock.now();
        let mut at = (!unwritten.is_empty()).then(|| now + AGAIN);
        if let Some(notice) = &notice {
            match outbox.next(&routes, ways.patience, now) {
                Next::Send(names) => {
                    for name in names {
                        outbox.ask(&name, now);
                        let channel = ways.channels.iter().find(|channel| channel.name == name);
                        let channel = channel.expect("routes are made from the channels");
                        sends.push(send(&hands, channel, notice.clone()));
                    }
                    continue;
                }
                Next::Wait(moment) => at = Some(at.map_or(moment, |at| at.min(moment))),
                Next::Listen | Next::Done => {}
            }
            if is_new && !outbox.has_ears(&routes) && unwritten.is_empty() {
                // The log has it.
                witness.told(now, notice, None);
                unwritten.push(told(notice, None, false));
                write_down(&hands, face, &mut unwritten);
                if unwritten.is_empty() {
                    continue;
                }
            }
        }
        let again = async {
            match at {
                Some(at) => hands.clock.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = hands.halt.asked() => return,
            Some((channel, notice, outcome)) = sends.next(), if !sends.is_empty() => {
                let answer = answer_of(&outcome);
                outbox.hear(key_of(&notice), channel, answer, hands.clock.now());
                match outcome {
                    Ok(receipt) => {
                        witness.told(hands.clock.now(), &notice, Some(channel));
                        unwritten.push(told(&notice, Some(channel), receipt == Receipt::Delivered));
                    }
                    Err(fault) => {
                        if fault.partly {
                            unwritten.push(told(&notice, Some(channel), false));
                        }
                        let why = format!("{}. {}", fault.why, fault.cure);
                        witness.deaf(hands.clock.now(), channel, &why);
                    }
                }
            }
            () = face.changed() => {}
            () = again => {}
        }
    }
}

/// What is to be told now, and whether it is new; else what is still true and not proven to have been heard.
fn turn(
    face: &Face,
    outbox: &mut Outbox,
    unwritten: &[(Key, Event)],
    now: Timestamp,
) -> (Option<Notice>, bool) {
    let Some(shown) = face.shown() else { return (None, false) };
    // What was told and is not written down yet still looks new.
    let waits = |key: Key| unwritten.iter().any(|(other, _)| *other == key);
    let notice = shown.notice.filter(|notice| outbox.key() == Some(key_of(notice)) || !waits(key_of(notice)));
    let is_new = notice.is_some();
    let notice = notice.or(shown.open);
    match &notice {
        Some(notice) => outbox.turn_to(key_of(notice), shown.told.as_ref(), now),
        None => outbox.rest(),
    }
    (notice, is_new)
}

fn key_of(notice: &Notice) -> Key {
    (notice.incident, notice.severity, notice.over)
}

fn answer_of(outcome: &Result<Receipt, ChannelFault>) -> Answer {
    match outcome {
        Ok(Receipt::Accepted) => Answer::Taken,
        Ok(Receipt::Delivered) => Answer::Proven,
        Err(fault) if fault.partly => Answer::Taken,
        Err(fault) => Answer::Failed(fault.wait_s.map(|s| SignedDuration::from_secs(s.into()))),
    }
}

fn told(notice: &Notice, channel: Option<&str>, proven: bool) -> (Key, Event) {
    let Notice { incident, severity, over, .. } = notice;
    let channel = channel.map(str::to_owned);
    let told = Event::Told { incident: *incident, severity: *severity, over: *over, channel, proven };
    (key_of(notice), told)
}

/// What cannot be written down now is written later.
fn write_down(hands: &Hands<'_>, face: &Face, unwritten: &mut Vec<(Key, Event)>) {
    let write = |event: &Event| -> Result<(), Failure> { hands.attest()?.note(event.clone()) };
    while let Some((key, event)) = unwritten.first() {
        if write(event).is_err() {
            return;
        }
        face.told(*key);
        unwritten.remove(0);
    }
}

/// One message through one channel.
async fn send<'a>(
    hands: &Hands<'a>,
    channel: &'a ChannelConfig,
    notice: Notice,
) -> (&'a str, Notice, Result<Receipt, ChannelFault>) {
    let message = Message {
        severity: notice.severity,
        title: notice.title.clone(),
        body: notice.body.clone(),
        incident: format!("{}/{}", hands.account.name, notice.incident.as_str()),
        over: notice.over,
    };
    let outside = Outside { http: hands.http, clock: hands.clock, time: TIME };
    let outcome = channel.deliver(hands.stores.vault(), outside, &message).await;
    (&channel.name, notice, outcome)
}
