//! Once a week a real message goes through every channel; one that has died is told of through the others.

use std::convert::Infallible;

use firstbell_core::failure::Failure;
use firstbell_core::notice::Severity;
use firstbell_core::outbox::test_at;
use firstbell_core::secret::Secret;
use jiff::Timestamp;

use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::ports::{ChannelFault, Clock, Http, Message, Vault};
use crate::shape::india;

/// Where the vault keeps when the last test was: no account is called so, and no channel.
const OWNER: &str = "self-test";
const NAME: &str = "last";

/// What a test works with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// All channels.
    pub channels: &'a [ChannelConfig],
    /// Where their secrets are, and when the last test was.
    pub vault: &'a dyn Vault,
    /// Calls out.
    pub http: &'a dyn Http,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Hears what came of a test.
pub trait Examiner {
    /// A channel works.
    fn lives(&self, at: Timestamp, channel: &str);
    /// A channel is dead.
    fn dead(&self, at: Timestamp, channel: &str, why: &str);
    /// A test could not be made.
    fn failed(&self, at: Timestamp, failure: &Failure);
}

impl Bench<'_> {
    /// Tests every week, for as long as it is polled.
    pub async fn keep(self, examiner: &dyn Examiner) -> Infallible {
        loop {
            match self.due() {
                Ok(at) if at <= self.clock.now() => self.test(examiner).await,
                Ok(at) => self.clock.until(at).await,
                Err(failure) => {
                    examiner.failed(self.clock.now(), &failure);
                    self.clock.rest(3_600_000).await;
                }
            }
        }
    }

    /// When the next test is; the first start counts as one, because the owner has just tried his channels.
    fn due(&self) -> Result<Timestamp, Failure> {
        let now = self.clock.now();
        let last = self.vault.fetch(OWNER, NAME)?.and_then(|text| text.expose().parse::<Timestamp>().ok());
        let last = match last {
            Some(last) => last,
            None => {
                self.tested(now)?;
                now
            }
        };
        Ok(test_at(last, now))
    }

    fn outside(&self) -> Outside<'_> {
        Outside { http: self.http, clock: self.clock, time: TIME }
    }

    fn tested(&self, at: Timestamp) -> Result<(), Failure> {
        self.vault.keep(OWNER, NAME, &Secret::new(at.to_string()))
    }

    async fn test(&self, examiner: &dyn Examiner) {
        // Written first: a machine that dies in the middle tests less, and never all day.
        if let Err(failure) = self.tested(self.clock.now()) {
            examiner.failed(self.clock.now(), &failure);
            return self.clock.rest(3_600_000).await;
        }
        let tests = self.channels.iter().map(|channel| async move {
            let message = probe(&channel.name, self.clock.now());
            (channel, channel.deliver_patiently(self.vault, self.outside(), &message).await)
        });
        let (mut lives, mut dead) = (Vec::new(), Vec::new());
        for (channel, outcome) in futures_util::future::join_all(tests).await {
            match outcome {
                Ok(_) => {
                    examiner.lives(self.clock.now(), &channel.name);
                    lives.push(channel);
                }
                Err(fault) => {
                    examiner.dead(self.clock.now(), &channel.name, &format!("{}. {}", fault.why, fault.cure));
                    dead.push((channel, fault));
                }
            }
        }
        for (channel, fault) in dead {
            let message = obituary(&channel.name, &fault);
            let sends =
                lives.iter().map(|other| other.deliver_patiently(self.vault, self.outside(), &message));
            futures_util::future::join_all(sends).await;
        }
    }
}

/// The message of a test.
fn probe(channel: &str, now: Timestamp) -> Message {
    Message {
        severity: Severity::Information,
        title: "firstbell: the weekly test message".into(),
        body: format!(
            "Nothing is wrong. Once a week firstbell sees whether channel {channel} still reaches you (self_test in the \
             configuration). You need not do anything."
        ),
        incident: format!("self-test-{}", india(now)),
        over: false,
    }
}

fn obituary(channel: &str, fault: &ChannelFault) -> Message {
    Message {
        severity: Severity::Warning,
        title: format!("firstbell: channel {channel} does not reach you any more"),
        body: format!(
            "The weekly test message did not get through: {}.\nA bad morning would not be told there.\nYou can: {} Then run \
             firstbell alerts test {channel}.",
            fault.why, fault.cure
        ),
        incident: format!("channel/{channel}"),
        over: false,
    }
}
