//! What every kind of channel is to the shelf: it reads its own keys, and sends with what it is handed.

use std::fmt::Debug;
use std::time::Duration;

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use tokio::net::TcpStream;
use url::Url;

use crate::ports::{Call, ChannelFault, Clock, Http, Message, Receipt, Soon};
use crate::secrets::Source;
use crate::written::Section;

/// What a channel reaches the world with.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Calls out.
    pub http: &'a dyn Http,
    /// The time, where a signature or a letter needs it.
    pub clock: &'a dyn Clock,
    /// How long one message may take.
    pub time: Duration,
}

impl Debug for Outside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").field("time", &self.time).finish_non_exhaustive()
    }
}

/// One kind of channel, configured.
pub(super) trait Kind: Debug {
    /// Sends one message. May hang: who calls it holds the clock.
    fn send<'a>(
        &'a self,
        message: &'a Message,
        keys: &'a Keys,
        outside: &'a Outside<'a>,
    ) -> Soon<'a, Result<Receipt, ChannelFault>>;

    /// Where the other side is; an address that is none leads nowhere.
    fn far(&self, keys: &Keys) -> Far;

    /// Where its bot is asked for what people write to it, if it takes commands.
    fn listens(&self) -> Option<&Origin> {
        None
    }
}

/// The other side of a channel, as far as a look from here may know: whether somebody is there, and nothing is said to him.
#[derive(Debug)]
pub(super) enum Far {
    /// On this machine.
    Here,
    /// Over HTTP.
    Web(Origin),
    /// A mail server: its host and port.
    Mail(String, u16),
    /// An address that cannot be read.
    Nowhere,
}

impl Far {
    /// The host in an address.
    pub(super) fn of(address: &Secret) -> Far {
        let url = Url::parse(address.expose().trim()).ok();
        url.as_ref().and_then(Origin::of).map_or(Far::Nowhere, Far::Web)
    }

    /// Whether somebody is there. May hang: who calls it holds the clock.
    pub(super) async fn answers(&self, outside: &Outside<'_>) -> bool {
        match self {
            Far::Here => true,
            Far::Nowhere => false,
            // Any answer is one; what is asked for is at no address that is a secret.
            Far::Web(origin) => {
                let sent = outside.http.send(Call::get(Secret::new(origin.join("/")))).await;
                sent.is_ok_and(|_reply| true)
            }
            Far::Mail(host, port) => TcpStream::connect((host.as_str(), *port)).await.is_ok(),
        }
    }
}

/// Reads the keys of one kind.
pub(super) type Read = fn(&mut Section<'_>, &mut Sources) -> Option<Box<dyn Kind>>;

/// The secrets of a channel, as they are asked for while its table is read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) found: Vec<(String, Source)>,
}

impl Sources {
    /// One that must be there: in the vault, unless the table says where.
    pub(super) fn required(&mut self, section: &mut Section<'_>, key: &str) {
        self.found.push((key.to_owned(), Source::read(section, key)));
    }

    /// One that is there where the table says so.
    pub(super) fn optional(&mut self, section: &mut Section<'_>, key: &str) {
        let source = Source::read(section, key);
        if section.asked(key) {
            self.found.push((key.to_owned(), source));
        }
    }
}

/// The secrets of a channel, fetched.
#[derive(Debug)]
pub(super) struct Keys(pub(super) Vec<(String, Secret)>);

impl Keys {
    /// One that was required.
    pub(super) fn of(&self, name: &str) -> &Secret {
        self.maybe(name).expect("required when it was read")
    }

    /// One that was optional.
    pub(super) fn maybe(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, secret)| secret)
    }
}
