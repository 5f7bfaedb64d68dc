//! The three secrets: each asked for unseen, looked at, proven where that can be done here, and sealed at once.

use firstbell_core::broker::Broker;
use firstbell_core::failure::Failure;
use firstbell_core::schedule::Assisted;
use firstbell_core::secret::Secret;
use firstbell_core::token::Standing as Worth;

use super::ask::Question;
use super::steps::{Standing, wrong_clock};
use super::{Setup, words};
use crate::cli::context::Context;
use crate::cli::say::{self, Ticks};
use crate::cli::secrets as vault;
use crate::halt::Halt;
use crate::ports::Clock;
use crate::secrets::{Name, Owner, Source};
use crate::setup::{
    Found, Look, Proof, api_secret, check, has_edges, password, prove, read_seed, same, without_edges,
};

impl Setup<'_> {
    /// Where the configuration takes a secret from, and whether it is there. One that is to come from elsewhere than the vault
    /// and does not is a fault: an answer here would be one that nobody reads.
    pub(super) fn where_secret_is(&self, context: &Context, name: Name) -> Result<Standing, Failure> {
        let account = self.account(context)?;
        let source = &account.secrets[name as usize].1;
        let stores = context.stores()?;
        let user = account.app.user();
        let owner = Owner { id: &user, name: &account.name };
        match (source.fetch(owner, name, stores.vault()), source) {
            (Ok(_), _) => Ok(Standing::There(format!("in the {}", source.describe()))),
            (Err(_), Source::Vault) => Ok(Standing::Missing),
            (Err(failure), _) => Err(failure),
        }
    }

    fn keep(&self, name: Name, secret: &Secret) -> Result<(), Failure> {
        let context = self.context()?;
        vault::keep(&context.stores()?, self.account(&context)?, name, secret)?;
        say::error(&format!("  ✓ {} is sealed in the vault", name.as_str()));
        Ok(())
    }

    pub(super) async fn ask_api_secret(&mut self) -> Result<(), Failure> {
        let context = self.context()?;
        let key = self.account(&context)?.app.api_key.clone();
        let prompt = "The app's API secret (not shown): ";
        let question = Question { prompt, help: words::API_SECRET, unseen: true };
        let secret = self.asks.ask(&question, |answer| api_secret(answer, &key)).await?;
        self.keep(Name::ApiSecret, &secret)
    }

    pub(super) async fn ask_password(&mut self) -> Result<(), Failure> {
        let prompt = "\nYour Kite password (not shown): ";
        let question = Question { prompt, help: words::PASSWORD, unseen: true };
        loop {
            let mut first = self.asks.ask(&question, password).await?;
            let trimmed = has_edges(&first)
                && !self
                    .asks
                    .yes("  ! It begins or ends with a space. Does the space belong to the password?", false)
                    .await?;
            let mut second = self.asks.read("The same once more: ", true).await?;
            if trimmed {
                (first, second) = (without_edges(&first), without_edges(&second));
            }
            if same(&first, &second) {
                return self.keep(Name::Password, &first);
            }
            say::error("  ✗ The two are not the same, so nothing was kept.");
        }
    }

    pub(super) async fn ask_seed(&mut self) -> Result<(), Failure> {
        say::error(words::SEED);
        let prompt = "The TOTP key, or the path of a picture of its QR code (not shown): ";
        let question = Question { prompt, help: words::SEED_HELP, unseen: true };
        loop {
            let home = self.env.get("HOME").cloned();
            let found = self.asks.ask(&question, |answer| read_seed(answer, home.as_deref())).await?;
            if found.from_picture {
                say::error(
                    "  ✓ The picture holds a TOTP key. Delete it when you are done: whoever has it has the key.",
                );
            }
            if self.is_proven(&found).await? {
                return self.keep(Name::TotpSeed, &found.text);
            }
        }
    }

    /// Whether the key is the one in the owner's phone. False where another key is to be tried.
    async fn is_proven(&self, found: &Found) -> Result<bool, Failure> {
        let prompt = "The six digits that your phone shows for Zerodha now: ";
        let question = Question { prompt, help: words::PROOF_HELP, unseen: false };
        let mut wrong = 0;
        loop {
            let proof = |answer: &Secret| match prove(&found.seed, answer, self.clock.now()) {
                Proof::NoCode => Look::Wrong("That is not six digits.".into()),
                proof => Look::Good(proof),
            };
            match self.asks.ask(&question, proof).await? {
                Proof::Right => {
                    say::error("  ✓ The key is right: firstbell makes the same code.");
                    return Ok(true);
                }
                Proof::Off(minutes) => {
                    say::error(&format!(
                        "  ✓ The key is right, but the clocks differ. {}",
                        self.whose_clock(minutes).await?
                    ));
                    return Ok(true);
                }
                _ if wrong == 0 => {
                    wrong += 1;
                    say::error(
                        "  ✗ This key does not make that code. Was it Zerodha's entry, and still shown when you typed? Try the next one.",
                    );
                }
                _ => {
                    say::error(
                        "  ✗ This key does not make that code either, so it is not the one in your phone: another key was set up \
                         after it, or it is another service's. Nothing was kept. Take the key from your phone, or set up external \
                         TOTP again in Kite.",
                    );
                    return Ok(false);
                }
            }
        }
    }

    /// Whose clock is wrong, by Kite's.
    async fn whose_clock(&self, minutes: i32) -> Result<String, Failure> {
        let context = self.context()?;
        let app = &self.account(&context)?.app;
        let ahead_s = check(&context.kite(), app, &self.http, || self.clock.now()).await.ahead_s;
        let side = if minutes > 0 { "ahead of" } else { "behind" };
        let far = match minutes.abs() {
            1 => "1 minute".to_owned(),
            far => format!("{far} minutes"),
        };
        Ok(match ahead_s {
            Some(s) if s.abs() > 20 => wrong_clock(s),
            Some(_) => format!(
                "Your phone's clock is {far} {side} this machine's, and this machine's agrees with Kite's: set your phone's clock \
                 by the network, or its codes are refused when you type them."
            ),
            None => format!(
                "Your phone's clock is {far} {side} this machine's. See which of them is wrong (timedatectl): codes by a wrong \
                 clock are refused."
            ),
        })
    }

    /// Whether there is a token that is handed out.
    pub(super) async fn has_token(&self) -> Result<bool, Failure> {
        let context = self.context()?;
        let tools = context.tools(context.stores()?);
        let (ticks, halt) = (Ticks::start(), Halt::new());
        let hands = tools.hands(self.account(&context)?, &ticks, &halt);
        let Some(token) = hands.look()?.current()? else { return Ok(false) };
        Ok(match token.life.standing(self.clock.now()) {
            Worth::Trusted => true,
            // In the hours in which Kite ends tokens only Kite knows.
            Worth::Suspect => hands.prove(&token).await.is_ok(),
            Worth::Dead => false,
        })
    }

    /// What the owner should know before the login that proves it all.
    pub(super) fn before_login(&self, proven: bool) -> Result<(), Failure> {
        let context = self.context()?;
        let account = self.account(&context)?;
        if proven {
            say::error(&format!("\nNothing is missing: {} has a proven token.", account.name));
            return Ok(());
        }
        if account.assisted == Assisted::Only {
            say::error(
                "\nAll is there. Now one login, as it will be each morning: a link comes, you log in, and firstbell does the rest. \
                 If Kite asks you to authorise the app, do.",
            );
            return Ok(());
        }
        say::error(&format!(
            "\nAll is there. Now one login, as it will be each morning; it sends your password\nonce. Kite asks the owner once to \
             authorise a new app, and firstbell never presses\nthat button: if you have never logged in to this app, open this \
             link in your own\nbrowser first, log in, and authorise it. That the page behind it does not load is\nno fault.\n\n  {}\n",
            context.kite().entry(&account.app)
        ));
        Ok(())
    }
}
