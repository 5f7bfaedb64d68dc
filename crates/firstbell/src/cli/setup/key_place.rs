//! The question where the key of the vault is kept, and the key on its way there.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::ask::Question;
use super::steps::Standing;
use super::{Setup, broken, words};
use crate::cli::context::Context;
use crate::cli::say;
use crate::setup::{
    Kept, KeyPlace, Look, PASSPHRASE_MIN, into_credential, into_keyring, same, under_passphrase,
};

impl Setup<'_> {
    /// A vault that is there, or that a configuration speaks of, has its key; it must open by now.
    pub(super) fn key_standing(&self, context: &Context) -> Result<Standing, Failure> {
        let config = &context.config;
        let has = |name: &str| config.state_dir.join(name).exists();
        if config.shared.is_some() {
            context.stores()?;
            return Ok(Standing::There("a file of this machine, for the store in the database".into()));
        }
        if !self.draft.has_vault() && !has("vault.age") && !has("key") {
            return Ok(Standing::Missing);
        }
        context.stores()?;
        Ok(Standing::There(KeyPlace::of(&config.vault).name().into()))
    }

    pub(super) async fn ask_key_place(&mut self) -> Result<(), Failure> {
        say::error(words::KEY_PLACE);
        for (number, place) in (1..).zip(KeyPlace::OFFERED) {
            let line = format!("  {number}  {}: {}.", place.name(), place.sentence());
            say::error(&words::folded(&line, 5));
        }
        let question = Question { prompt: "1, 2, 3 or 4 [1]: ", help: words::KEY_PLACE_HELP, unseen: false };
        loop {
            let place = self.asks.ask(&question, chosen).await?;
            let kept = match place {
                KeyPlace::Passphrase => self.ask_passphrase().await,
                KeyPlace::Keyring => into_keyring().await,
                KeyPlace::Credential => into_credential().await,
                KeyPlace::File | KeyPlace::Elsewhere => Ok(Kept { line: None, identity: None }),
            };
            match kept {
                Ok(kept) => return self.keep_key(kept),
                Err(Failure::Interrupted) => return Err(Failure::Interrupted),
                Err(failure) => say::error(&format!("  ✗ {failure}. {}", failure.cure())),
            }
        }
    }

    async fn ask_passphrase(&self) -> Result<Kept, Failure> {
        let question =
            Question { prompt: "A passphrase (not shown): ", help: words::PASSPHRASE, unseen: true };
        loop {
            let first = self.asks.ask(&question, long).await?;
            let second = self.asks.read("The same once more: ", true).await?;
            if same(&first, &second) {
                return under_passphrase(&self.context()?.config.state_dir, &first);
            }
            say::error("  ✗ The two are not the same, so nothing was kept.");
        }
    }

    /// Folder, vault and store are made now.
    fn keep_key(&mut self, kept: Kept) -> Result<(), Failure> {
        if let Some(identity) = kept.identity {
            self.vault.know(identity);
        }
        if let Some((key, what)) = kept.line {
            self.draft.set_vault(key, what, &self.env).map_err(|faults| broken(&faults))?;
        }
        self.context()?.stores().map(drop)
    }
}

fn chosen(answer: &Secret) -> Look<KeyPlace> {
    if answer.is_blank() {
        return Look::Good(KeyPlace::OFFERED[0]);
    }
    let number = crate::setup::number(answer).map(usize::from);
    match number.and_then(|number| KeyPlace::OFFERED.get(number.wrapping_sub(1))) {
        Some(place) => Look::Good(*place),
        None => Look::Wrong("Type 1, 2, 3 or 4, or press Enter.".into()),
    }
}

fn long(answer: &Secret) -> Look<Secret> {
    if answer.letters() < PASSPHRASE_MIN {
        return Look::Wrong(format!("A passphrase needs {PASSPHRASE_MIN} letters at least."));
    }
    Look::Good(answer.clone())
}
