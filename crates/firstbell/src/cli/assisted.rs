//! `firstbell login --assisted`: the link for the person, the ways back, and words for all that comes back.

use std::process::Stdio;

use firstbell_core::failure::Failure;
use firstbell_core::invitation::Refusal;
use firstbell_core::token::Token;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::process::Command;

use super::LoginArgs;
use super::chat;
use super::context::Context;
use super::say;
use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::chat::{Awaited, Chat, Hold, Links, Phone, beside, write};
use crate::halt::{self, Halt};
use crate::hands::{Before, Hands};
use crate::ports::{Person, Returned, Soon};
use crate::returns::Ways;
use crate::shape::india;

/// Somebody who sends many must not fill the terminal; the log has them all.
const SAID_MAX: usize = 10;

/// What a browser needs of our environment to show itself, and nothing that is secret.
const VARIABLES: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Lets a person log in.
pub(super) async fn log_in(
    context: &Context,
    hands: &Hands<'_>,
    before: Before,
    args: &LoginArgs,
) -> Result<Token, Failure> {
    let (ways, closed) = Ways::open(&hands.account.app.redirect, hands.account.callback.as_ref()).await;
    if let Some(closed) = &closed {
        say::error(&format!(
            "note: {closed}. When the login has ended, copy the whole address from the browser's address bar and paste it \
             here; that the page itself does not load is no fault."
        ));
    }
    let (awaited, leave) = (Awaited::default(), Halt::new());
    let chats = chat::free(context, hands, &awaited);
    let (phone, links) = Phone::of(&awaited, &hands.account.name);
    let phone = (!chats.is_empty()).then_some(phone);
    let mut owner = Owner { ways, ended: false, phone, opens: args.open, dropped: 0 };
    let life = SignedDuration::from_secs(i64::from(args.wait_s));
    let work = async {
        let outcome = hands.assisted(before, &mut owner, life).await;
        // Nobody waits any more; what the chat was just told of is still answered there.
        owner.phone = None;
        outcome
    };
    let outcome = beside(work, in_chats(hands, chats, links, &leave), &leave).await;
    // A page that is not read in time is no reason to be slow when somebody wants us to end.
    let _ = hands.halt.grace(halt::END, owner.ways.close()).await;
    outcome
}

/// Reads the paired chats, and writes the link to them.
async fn in_chats(hands: &Hands<'_>, chats: Vec<(Chat<'_>, Hold)>, mut links: Links, leave: &Halt) {
    let channels: Vec<&ChannelConfig> = chats.iter().map(|(chat, _)| chat.channel).collect();
    let outside = Outside { http: hands.http, clock: hands.clock, time: TIME };
    let write = async {
        while let Some(Some(words)) = leave.or(links.next()).await {
            for (name, outcome) in write(channels.iter().copied(), hands.stores, outside, &words).await {
                say::error(&match outcome {
                    Ok(()) => format!("The link is in the paired chat {name} too."),
                    Err(why) => format!("note: the link is not in the chat {name}: {why}"),
                });
            }
        }
    };
    let read = chats.into_iter().map(|(chat, hold)| async move { chat.keep(Some(hold), leave).await });
    tokio::join!(write, join_all(read));
}

struct Owner {
    ways: Ways,
    /// Whether those ways have ended.
    ended: bool,
    /// The way through a paired chat.
    phone: Option<Phone>,
    opens: bool,
    dropped: usize,
}

impl Person for Owner {
    fn invite(&mut self, link: &str, until: Timestamp) {
        say::error(&format!(
            "\nLog in here, on any device, before {}. The link is for you only: pass it to nobody.\n\n  {link}\n",
            india(until)
        ));
        if let Some(phone) = &mut self.phone {
            phone.invite(link, until);
        }
        if self.opens && !open(link) {
            say::error("note: there is no xdg-open here that could be started; open the link by hand.");
        }
    }

    fn dropped(&mut self, carries_token: bool, why: &Refusal) {
        tracing::warn!(%why, carries_token, "what came back from a login was dropped");
        self.dropped += 1;
        if self.dropped > SAID_MAX {
            return;
        }
        say::error(&match carries_token {
            true => format!("Someone sent a foreign login token. It was rejected. ({why}.)"),
            false => format!("A login came back without a token, and was dropped. ({why}.)"),
        });
        if self.dropped == SAID_MAX {
            say::error("note: more of them are not shown.");
        }
    }

    fn next(&mut self) -> Soon<'_, Option<Returned>> {
        Box::pin(async {
            let Some(phone) = &mut self.phone else { return self.ways.next().await };
            if !self.ended {
                tokio::select! {
                    returned = self.ways.next() => match returned {
                        Some(returned) => return Some(returned),
                        None => self.ended = true,
                    },
                    returned = phone.next() => return returned,
                }
            }
            phone.next().await
        })
    }
}

/// Hands the link to the desktop. Others of this machine may see the nonce in the arguments: without a login of the expected
/// user it is worth nothing.
fn open(link: &str) -> bool {
    let kept = VARIABLES.iter().filter_map(|key| Some((*key, std::env::var_os(key)?)));
    let started = Command::new("xdg-open")
        .arg(link)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    started.is_ok()
}
