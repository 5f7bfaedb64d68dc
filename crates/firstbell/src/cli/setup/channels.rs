//! The ways to the owner: one of three is set up here, tried with a real message, and what came back is shown.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use toml_edit::{Array, Value};

use super::ask::Question;
use super::{Setup, words};
use crate::alerts::ChannelConfig;
use crate::censor;
use crate::chat::Paired;
use crate::cli::exit::{DONE, INTERRUPTED};
use crate::cli::{alerts, pair, say};
use crate::setup::{Look, mail_address, mail_server, no_chat, number};

/// A way to the owner that is offered.
#[derive(Clone, Copy)]
enum Way {
    Telegram,
    Email,
    Ntfy,
}

impl Setup<'_> {
    /// Asks for a channel where there is none, and for what one lacks that was begun.
    pub(super) async fn channels(&mut self) -> Result<(), Failure> {
        let context = self.context()?;
        if context.config.channels.is_empty() {
            return self.offer().await;
        }
        for channel in &context.config.channels {
            let begun = self.lacking(channel).await?;
            if begun {
                self.complete(&channel.name).await?;
            } else {
                say::error(&format!("  ✓ {:<13} {} ({})", "channel", channel.name, channel.kind));
            }
        }
        Ok(())
    }

    async fn offer(&mut self) -> Result<(), Failure> {
        say::error(words::CHANNEL);
        let question = Question { prompt: "1, 2, 3 or Enter: ", help: words::CHANNEL_HELP, unseen: false };
        let look = |answer: &Secret| match number(answer) {
            _ if answer.is_blank() => Look::Good(None),
            Some(1) => Look::Good(Some(Way::Telegram)),
            Some(2) => Look::Good(Some(Way::Email)),
            Some(3) => Look::Good(Some(Way::Ntfy)),
            _ => Look::Wrong("Type 1, 2 or 3, or press Enter.".into()),
        };
        let name = match self.asks.ask(&question, look).await? {
            None => return Ok(()),
            Some(Way::Telegram) => {
                let keys = vec![
                    ("kind", "telegram".into()),
                    // Known when the chat is paired.
                    ("chat_id", no_chat().into()),
                    ("commands", true.into()),
                ];
                self.add("phone", keys)?
            }
            Some(Way::Email) => {
                let keys = self.mail_keys().await?;
                self.add("mail", keys)?
            }
            Some(Way::Ntfy) => self.add("ntfy", vec![("kind", "ntfy".into())])?,
        };
        self.complete(name).await
    }

    fn add(&mut self, name: &'static str, keys: Vec<(&str, Value)>) -> Result<&'static str, Failure> {
        self.draft.add_channel(name, keys, &self.env).map_err(|faults| super::broken(&faults))?;
        Ok(name)
    }

    async fn mail_keys(&self) -> Result<Vec<(&'static str, Value)>, Failure> {
        let help = "Letters are sent from this address to itself; more recipients can be written into the configuration.";
        let question = Question { prompt: "Your e-mail address: ", help, unseen: false };
        let address = self.asks.ask(&question, mail_address).await?;
        let help =
            "Your provider calls it the SMTP server, or the server for outgoing mail; it must take port 465.";
        let question =
            Question { prompt: "Its server for sending, such as smtp.gmail.com: ", help, unseen: false };
        let host = self.asks.ask(&question, mail_server).await?;
        let mut to = Array::new();
        to.push(address.as_str());
        Ok(vec![
            ("kind", "email".into()),
            ("host", host.into()),
            ("user", address.as_str().into()),
            ("from", address.as_str().into()),
            ("to", to.into()),
        ])
    }

    /// Whether a channel was begun and not ended.
    async fn lacking(&self, channel: &ChannelConfig) -> Result<bool, Failure> {
        let context = self.context()?;
        let stores = context.stores()?;
        let there = |(name, source): &(String, _)| {
            let source: &crate::secrets::Source = source;
            source.take(&channel.wanted(name), stores.vault()).is_ok()
        };
        Ok(!channel.secrets.iter().all(there) || self.draft.waits_for_chat(&channel.name))
    }

    /// Asks for the secrets that it lacks, pairs it where that is wanted, and tries it.
    async fn complete(&mut self, name: &str) -> Result<(), Failure> {
        let context = self.context()?;
        let Some(channel) = context.config.channels.iter().find(|channel| channel.name == name) else {
            return Ok(());
        };
        for (secret, source) in &channel.secrets {
            let stores = context.stores()?;
            if source.take(&channel.wanted(secret), stores.vault()).is_ok() {
                continue;
            }
            let (prompt, help) = match (channel.kind, secret.as_str()) {
                ("telegram", "token") => ("The bot's token (not shown): ", words::TOKEN),
                ("ntfy", "address") => ("The topic's address (not shown): ", words::TOPIC),
                ("email", "password") => ("The mailbox's password (not shown): ", words::MAIL_PASSWORD),
                _ => ("The channel's secret (not shown): ", words::CHANNEL_HELP),
            };
            let question = Question { prompt, help, unseen: true };
            let given = self.asks.ask(&question, crate::setup::any_secret).await?;
            censor::know(&given);
            stores.vault().keep(channel.wanted(secret).owner, secret, &given)?;
        }
        if self.draft.waits_for_chat(name) && !self.pair(name).await? {
            return Ok(());
        }
        let context = self.context()?;
        say::error("A test message goes out:");
        let exit = alerts::test(&context, Some(name), false).await;
        if exit.code() != DONE {
            say::error(
                "The channel stays in the configuration. Mend it as said, then try it: firstbell alerts test.",
            );
        }
        Ok(())
    }

    /// Pairs a bot with the owner's chat, and writes down which it is.
    async fn pair(&mut self, name: &str) -> Result<bool, Failure> {
        let context = self.context()?;
        let exit = pair::run(&context, name, false).await;
        if exit.code() == INTERRUPTED {
            return Err(Failure::Interrupted);
        }
        let channel = context.config.channels.iter().find(|channel| channel.name == name);
        let stores = context.stores()?;
        let paired = channel.map(|channel| Paired::of(channel, stores.vault())).transpose()?.flatten();
        let Some(paired) = paired else {
            say::error("The channel waits for its chat: run firstbell setup again when you are ready.");
            return Ok(false);
        };
        let keys = vec![("chat_id", paired.chat_id().into())];
        self.draft.add_channel(name, keys, &self.env).map_err(|faults| super::broken(&faults))?;
        Ok(true)
    }
}
