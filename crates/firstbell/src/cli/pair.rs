//! `firstbell alerts pair`: which private chat a bot obeys, by a code that is shown on the host and sent from there.

use firstbell_core::failure::Failure;
use serde_json::json;

use super::chat::Aside;
use super::context::Context;
use super::exit::Exit;
use super::say;
use super::signals::interruptible;
use crate::alerts::ChannelConfig;
use crate::chat::{self, Awaited, Chat, Ended, LIFE, Paired, Pairing, TRIES};
use crate::clock::MachineClock;
use crate::halt::Halt;
use crate::http::HyperHttp;
use crate::ports::Clock;
use crate::stores::Stores;

/// The code may be taken by another process; the vault is looked at this often.
const LOOK_MS: u64 = 200;

pub(super) async fn run(context: &Context, named: &str, forget: bool) -> Exit {
    let channel = match context.channel(named) {
        Ok(channel) => channel,
        Err(exit) => return exit,
    };
    if !channel.takes_commands() && !forget {
        return Exit::usage(&format!(
            "channel {named} takes no commands: it must be of kind telegram, with commands = true"
        ));
    }
    let stores = match context.stores() {
        Ok(stores) => stores,
        Err(failure) => return Exit::failed(&failure),
    };
    if forget {
        return unpair(channel, &stores);
    }
    let halt = Halt::new();
    let outcome = interruptible(&halt, pair(context, channel, (&stores, &halt))).await;
    match outcome {
        Ok(None) => {
            say::error(&format!("paired: channel {named} takes commands from that chat only"));
            Exit::done(json!({ "channel": named }))
        }
        Ok(Some(why)) => Exit::unpaired(why),
        Err(failure) => Exit::failed(&failure),
    }
}

fn unpair(channel: &ChannelConfig, stores: &Stores) -> Exit {
    let vault = stores.vault();
    let forgotten = Pairing::forget(channel, vault).and_then(|_| Paired::forget(channel, vault));
    match forgotten {
        Ok(was) => {
            let name = &channel.name;
            say::error(&match was {
                true => format!("channel {name} obeys nobody any more"),
                false => format!("channel {name} was not paired"),
            });
            Exit::done(json!({ "channel": name, "was_paired": was }))
        }
        Err(failure) => Exit::failed(&failure),
    }
}

/// Makes a code, shows it, and waits for it; says why no chat was paired, where none was.
async fn pair(
    context: &Context,
    channel: &ChannelConfig,
    (stores, halt): (&Stores, &Halt),
) -> Result<Option<&'static str>, Failure> {
    let (clock, http, awaited) = (MachineClock::start(), HyperHttp::unconnected(), Awaited::default());
    let config = &context.config;
    let chat = Chat {
        channel,
        channels: &config.channels,
        stores,
        state_dir: &config.state_dir,
        http: &http,
        clock: &clock,
        office: &Aside,
        awaited: &awaited,
    };
    let hold = chat.hold()?;
    let pairing = Pairing::new(clock.now())?;
    pairing.keep(channel, stores.vault())?;
    say::error(&format!(
        "Send this code to the bot of channel {}, in a private chat with it, within {} minutes:\n\n  {}\n",
        channel.name,
        LIFE.as_mins(),
        pairing.shown()
    ));
    if chat.paired()?.is_some() {
        say::error("note: a chat is paired already; the one that sends the code takes its place.");
    }
    let leave = Halt::new();
    let outcome = chat::beside(watch(&pairing, &chat, halt), chat.keep(hold, &leave), &leave).await;
    // A code is good once; another one that took its place is not ours to forget.
    if Pairing::of(channel, stores.vault())?
        .is_none_or(|kept| !matches!(kept, Pairing::Open { .. }) || kept.is(&pairing))
    {
        Pairing::forget(channel, stores.vault())?;
    }
    outcome
}

async fn watch(pairing: &Pairing, chat: &Chat<'_>, halt: &Halt) -> Result<Option<&'static str>, Failure> {
    let mut before = TRIES;
    loop {
        match Pairing::of(chat.channel, chat.stores.vault())? {
            Some(Pairing::Done(_)) => return Ok(None),
            Some(Pairing::Ended(Ended::Wrong)) => return Ok(Some("too many wrong codes came")),
            Some(Pairing::Ended(Ended::Seen)) => {
                return Ok(Some(
                    "the code came in a group, where everybody has read it: send it in a private chat",
                ));
            }
            Some(other) if !other.is(pairing) => return Ok(Some("another code took the place of this one")),
            Some(Pairing::Open { until, .. }) if chat.clock.now() >= until => {
                return Ok(Some("the code was not sent in time"));
            }
            Some(Pairing::Open { left, .. }) if left < before => {
                before = left;
                say::error(&format!("A wrong code came. {left} more of them end this."));
            }
            Some(Pairing::Open { .. }) => {}
            None => return Ok(Some("the pairing was called off")),
        }
        halt.or(chat.clock.rest(LOOK_MS)).await.ok_or(Failure::Interrupted)?;
    }
}
