//! What a provider's answer means for a message: taken, wait, again, or look at the configuration.

use std::fmt::Debug;
use std::time::Duration;

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use jiff::Timestamp;
use serde_json::Value;

use super::kind::{Far, Keys, Kind, Outside};
use crate::ports::{Call, ChannelFault, Message, Receipt, Received, Soon};

/// Nobody is told to wait for longer.
const WAIT_MAX_S: f64 = 86_400.0;

/// A provider, as errors speak of it.
#[derive(Debug)]
pub(super) struct Provider {
    /// Its name.
    pub(super) name: &'static str,
    /// What to do where it refuses our credential.
    pub(super) credential: &'static str,
    /// What to do where it does not know what the message is for.
    pub(super) place: &'static str,
    /// What to do where it refuses the message.
    pub(super) form: &'static str,
}

impl Provider {
    /// Sends one request; an answer that is no success is a fault. The answer's words are not used: they are a stranger's, and
    /// may repeat the address.
    async fn call(&self, outside: &Outside<'_>, call: Call) -> Result<Received, ChannelFault> {
        let reply = self.ask(outside, call).await?;
        match reply.status {
            200..=299 => Ok(reply),
            _ => Err(self.refused(&reply)),
        }
    }

    /// Sends one request, and gives whatever is answered.
    pub(super) async fn ask(&self, outside: &Outside<'_>, call: Call) -> Result<Received, ChannelFault> {
        outside.http.send(call).await.map_err(|fault| {
            let cure = match fault.tls {
                Some(_) => "Something on this network opens encrypted connections, or the clock is wrong.",
                None => "See whether the network and the provider are well.",
            };
            self.fault(&format!("did not answer: {}", fault.why), cure, true)
        })
    }

    /// What an answer that is no success means.
    pub(super) fn refused(&self, reply: &Received) -> ChannelFault {
        let (status, wait_s) = (reply.status, wait_s(reply));
        let fault = |what: &str, cure: &str, again: bool| {
            let mut fault = self.fault(&format!("{what} (HTTP {status})"), cure, again);
            fault.wait_s = wait_s;
            fault
        };
        match status {
            429 => fault("wants fewer messages", "Nothing: it is sent again when it may be.", true),
            401 | 403 => fault("refused us", self.credential, false),
            404 | 410 => fault("does not know the address", self.place, false),
            408 | 425 | 500..=599 => fault("is not well", "Nothing: it is tried again.", true),
            300..=399 => fault("leads elsewhere, and that is not followed", self.place, false),
            _ => fault("refused the message", self.form, false),
        }
    }

    /// It answered, and not as it says that it does.
    pub(super) fn strange(&self) -> ChannelFault {
        let cure = "See that no captive portal or proxy answers in its place.";
        self.fault("gave an answer that is none of its own", cure, true)
    }

    /// A fault of this provider, to be read after its name.
    pub(super) fn fault(&self, what: &str, cure: &str, again: bool) -> ChannelFault {
        ChannelFault {
            why: format!("{} {what}", self.name),
            cure: cure.into(),
            wait_s: None,
            again,
            partly: false,
        }
    }
}

/// A kind of channel that asks a provider for one thing and reads the answer.
pub(super) trait Web: Debug {
    /// Whom it asks.
    const PROVIDER: Provider;

    /// Where the other side is: at the address that the channel's secret is.
    fn far(&self, keys: &Keys) -> Far {
        Far::of(keys.of("address"))
    }

    /// Where its bot is asked for what people write to it, if it takes commands.
    fn listens(&self) -> Option<&Origin> {
        None
    }

    /// The request that carries a message.
    fn request(&self, message: &Message, keys: &Keys, now: Timestamp) -> Result<Call, ChannelFault>;

    /// What an answer that is a success by its status says.
    fn answer(&self, reply: &Received) -> Result<Receipt, ChannelFault>;

    /// Asks whether the message of this answer arrived; none where the provider cannot tell.
    fn proof(&self, _taken: &Received, _keys: &Keys) -> Option<Call> {
        None
    }

    /// What the answer to that says; none while it is not known.
    fn proven(&self, _reply: &Received) -> Option<Result<Receipt, ChannelFault>> {
        None
    }
}

/// How often it is asked whether a message arrived …
const PROOF_EVERY: Duration = Duration::from_millis(1_500);
/// … and how much of its time is left for the last answer.
const PROOF_SPARE: Duration = Duration::from_secs(4);

/// Asks until the provider knows, or the message's time is nearly over. A message that was taken stays taken, whatever becomes
/// of these questions.
async fn follow<W: Web>(
    channel: &W,
    taken: &Received,
    keys: &Keys,
    outside: &Outside<'_>,
) -> Result<Receipt, ChannelFault> {
    let mut left = outside.time.saturating_sub(PROOF_SPARE);
    while let Some(call) = channel.proof(taken, keys).filter(|_| left >= PROOF_EVERY) {
        left -= PROOF_EVERY;
        outside.clock.rest(u64::try_from(PROOF_EVERY.as_millis()).expect("it is short")).await;
        let Ok(reply) = W::PROVIDER.call(outside, call).await else { continue };
        if let Some(known) = channel.proven(&reply) {
            return known;
        }
    }
    Ok(Receipt::Accepted)
}

impl<W: Web> Kind for W {
    fn far(&self, keys: &Keys) -> Far {
        Web::far(self, keys)
    }

    fn listens(&self) -> Option<&Origin> {
        Web::listens(self)
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        keys: &'a Keys,
        outside: &'a Outside<'a>,
    ) -> Soon<'a, Result<Receipt, ChannelFault>> {
        Box::pin(async move {
            let call = self.request(message, keys, outside.clock.now())?;
            let taken = W::PROVIDER.call(outside, call).await?;
            match self.answer(&taken)? {
                Receipt::Accepted => follow(self, &taken, keys, outside).await,
                Receipt::Delivered => Ok(Receipt::Delivered),
            }
        })
    }
}

/// An answer as JSON, if it is.
pub(super) fn json(reply: &Received) -> Option<Value> {
    serde_json::from_slice(reply.body.expose()).ok()
}

/// Whether an answer is this text.
pub(super) fn is(reply: &Received, text: &str) -> bool {
    reply.body.expose().trim_ascii() == text.as_bytes()
}

/// Whether an answer holds this text.
pub(super) fn says(reply: &Received, text: &str) -> bool {
    let body = reply.body.expose();
    !text.is_empty() && body.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The longest wait that an answer asks for: by its header, or as Telegram and Discord write it into the body.
fn wait_s(reply: &Received) -> Option<u32> {
    let body = json(reply).unwrap_or_default();
    let written = [&body["parameters"]["retry_after"], &body["retry_after"]];
    let asked = written.into_iter().filter_map(Value::as_f64).chain(reply.retry_after_s.map(f64::from));
    let longest = asked.filter(|s| *s > 0.0).fold(0.0, f64::max).ceil().min(WAIT_MAX_S);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a day")]
    (longest > 0.0).then_some(longest as u32)
}

/// What is wrong with a secret that should be an address.
pub(super) fn not_an_address(name: &str) -> ChannelFault {
    ChannelFault {
        why: format!("the secret {name} is not an https address (or http to this machine by its number)"),
        cure: "Store the whole address as the provider shows it.".into(),
        wait_s: None,
        again: false,
        partly: false,
    }
}

/// A body that no one needs to hide, as the port takes it.
pub(super) fn open(body: &Value) -> Secret {
    Secret::new(body.to_string())
}
