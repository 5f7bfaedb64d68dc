//! Somebody else reads a bot's messages: told on the other channels, once a day.

use firstbell_core::failure::Failure;
use firstbell_core::notice::Severity;
use firstbell_core::secret::Secret;
use firstbell_core::token::date_in_india;
use futures_util::future::join_all;

use super::Chat;
use crate::alerts::ChannelConfig;
use crate::ports::{ChannelFault, Message};

const ALARMED: &str = "alarmed";

/// Tells it on every other channel, unless that was done today. Where none takes it, it is told at the next sight.
pub(super) async fn raise(chat: &Chat<'_>, webhook: bool) {
    let today = date_in_india(chat.clock.now()).to_string();
    let (name, owner, vault) = (&chat.channel.name, chat.channel.wanted(ALARMED).owner, chat.stores.vault());
    let told = vault.fetch(owner, ALARMED).ok().flatten();
    if told.is_some_and(|told| told.expose() == today) {
        return;
    }
    let message = message(name, webhook);
    chat.office.fault(name, &format!("{}. {}", message.title, message.body.replace('\n', " ")));
    // This one is in somebody else's hands.
    let others: Vec<_> = chat.channels.iter().filter(|other| other.name != *name).collect();
    let sends = others.iter().map(|other| send(chat, other, &message));
    let outcomes = join_all(sends).await;
    for (other, outcome) in others.iter().zip(&outcomes) {
        match outcome {
            Ok(()) => chat.office.note(name, &format!("that was told through {}", other.name)),
            Err(fault) => chat.office.fault(&other.name, &format!("{}. {}", fault.why, fault.cure)),
        }
    }
    // Where the log is all there is, it has it now.
    if outcomes.is_empty() || outcomes.iter().any(Result::is_ok) {
        let kept = vault.keep(owner, ALARMED, &Secret::new(today));
        if let Err(failure) = kept {
            chat.office.fault(name, &format!("{failure}. {}", failure.cure()));
        }
    }
}

fn message(name: &str, webhook: bool) -> Message {
    let how = if webhook { " (through a webhook)" } else { "" };
    Message {
        severity: Severity::Critical,
        title: format!("channel {name}: somebody else reads this bot's messages{how}"),
        body: "The bot's token has leaked, or another program uses it. Until that ends, commands may not reach firstbell, and \
               an address that you paste there may be read by others.\nUnless you know the other program: revoke the token at \
               @BotFather (/revoke) and store the new one with firstbell secrets set --channel."
            .replace("--channel", &format!("--channel {name} token")),
        incident: format!("channel-{name}/second-reader"),
        over: false,
    }
}

async fn send(chat: &Chat<'_>, other: &ChannelConfig, message: &Message) -> Result<(), ChannelFault> {
    let broken = |failure: Failure| ChannelFault {
        why: failure.to_string(),
        cure: failure.cure(),
        wait_s: None,
        again: false,
        partly: false,
    };
    let open = other.open(chat.stores.vault(), chat.outside()).map_err(broken)?;
    open.send(message).await.map(drop)
}
