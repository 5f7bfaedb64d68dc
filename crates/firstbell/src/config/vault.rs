//! The `[vault]` of a configuration: where the identity is that opens the vault, and who can open it beside us.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;

use crate::age::Recipient;
use crate::censor;
use crate::secrets::{Source, Wanted};
use crate::stores::{self, Opener, SealedIdentity};
use crate::terminal::Standing;
use crate::written::Section;

/// How the vault is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultConfig {
    holder: Holder,
    /// Further recipients.
    pub(super) recipients: Vec<Recipient>,
    opened: Opened,
}

/// Who holds the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Holder {
    /// A file in the state folder.
    #[default]
    File,
    /// A file in the state folder, under a passphrase that is asked for at a terminal.
    Typed,
    /// The same, under one that comes from elsewhere.
    Passphrase(Source),
    /// Another one.
    Elsewhere(Source),
}

/// What a passphrase opened, or who sets up has just made: once, for as long as this process lives.
#[derive(Clone, Debug, Default)]
struct Opened(Arc<OnceLock<Known>>);

/// An identity, and the file from which it is, where it is from one.
#[derive(Debug)]
struct Known(Secret, Option<SealedIdentity>);

impl PartialEq for Opened {
    fn eq(&self, _: &Opened) -> bool {
        true
    }
}

impl Eq for Opened {}

impl VaultConfig {
    pub(super) fn read(root: &mut Section<'_>, is_shared: bool) -> VaultConfig {
        let Some(mut section) = root.section("vault") else { return VaultConfig::default() };
        if is_shared {
            section.fault("is for a store of this machine: with [store] the vault is in the database, under the file named key");
        }
        let holder = read_holder(&mut section);
        let recipient = |text: &str| Recipient::parse(text).map_err(str::to_owned);
        let recipients = section.texts("recipients", recipient).unwrap_or_default();
        section.end(&["identity", "passphrase", "recipients"]);
        VaultConfig { holder, recipients, opened: Opened::default() }
    }

    /// Who holds the identity.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The sources that are needed before there is a vault.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        match &self.holder {
            Holder::Passphrase(source) | Holder::Elsewhere(source) => Some(source),
            Holder::File | Holder::Typed => None,
        }
        .into_iter()
    }

    /// The way to the identity, where that does not lie open in this state folder.
    pub(super) fn opener(&self, state: &Path) -> Option<Opener> {
        if self.holder == Holder::File {
            return None;
        }
        let (vault, state) = (self.clone(), state.to_owned());
        let (known, place) = (self.opened.clone(), state.clone());
        let prove = move || match known.0.get() {
            Some(Known(_, Some(sealed))) => sealed.is_still_there(&place),
            // Whoever keeps it elsewhere is asked for it each time.
            _ => Ok(()),
        };
        Some(Opener::new(move || vault.identity(&state)).proven_by(prove))
    }

    fn identity(&self, state: &Path) -> Result<Secret, Failure> {
        if let Some(Known(identity, _)) = self.opened.0.get() {
            return Ok(identity.clone());
        }
        let passphrase = match &self.holder {
            Holder::Elsewhere(source) => return source.text(&IDENTITY.wanted()),
            Holder::Passphrase(source) => {
                let passphrase = source.asked(&PASSPHRASE.wanted())?;
                // What nobody typed was not mistyped: a first start may rely on it.
                stores::make_sealed_identity(state, &passphrase)?;
                passphrase
            }
            Holder::Typed | Holder::File => typed()?,
        };
        let sealed = SealedIdentity::read(state)?;
        let identity = sealed.open(state, &passphrase)?;
        Ok(self.opened.0.get_or_init(|| Known(identity, Some(sealed))).0.clone())
    }

    /// What was asked for is not asked for again.
    pub fn goes_on(&mut self, before: &VaultConfig) {
        self.opened = before.opened.clone();
    }

    /// The identity is known already, to whoever has just made it.
    pub fn know(&self, identity: Secret) {
        // Known before is as good.
        let _ = self.opened.0.set(Known(identity, None));
    }
}

/// What is wanted of a source, and what it is.
struct Lack(&'static str, &'static str);

const IDENTITY: Lack = Lack("vault.identity", "the identity that opens the vault, as age-keygen writes one");
const PASSPHRASE: Lack = Lack("vault.passphrase", "the passphrase of identity.age");

impl Lack {
    fn wanted(&self) -> Wanted<'static> {
        Wanted { owner: "", name: self.0, store: self.1.into() }
    }
}

fn read_holder(section: &mut Section<'_>) -> Holder {
    let source = section.section("identity").map(Source::of);
    let passphrase = match section.is_table("passphrase") {
        true => section.section("passphrase").map(Source::of).map(Holder::Passphrase),
        false => section.flag("passphrase").filter(|yes| *yes).map(|_| Holder::Typed),
    };
    if source == Some(Source::Vault) || passphrase == Some(Holder::Passphrase(Source::Vault)) {
        section.fault("what opens the vault cannot be in it");
    }
    if source.is_some() && passphrase.is_some() {
        section.fault(
            "passphrase is for identity.age in the state folder, and not for an identity that is elsewhere",
        );
    }
    passphrase.or(source.map(Holder::Elsewhere)).unwrap_or_default()
}

/// The passphrase, from whoever started us.
fn typed() -> Result<Secret, Failure> {
    let lacking = |why: String| {
        Failure::Broken {
        part: Part::Key,
        why: format!("the passphrase of identity.age cannot be asked for: {why}"),
        cure: "Start firstbell at a terminal; for a service say where it comes from, such as [vault] passphrase = { credential = \
               \"firstbell-passphrase\" } or { command = [\"systemd-ask-password\", \"--no-tty\", \"firstbell\"] }."
            .into(),
    }
    };
    if !std::io::stdin().is_terminal() {
        return Err(lacking("nobody is at a terminal".into()));
    }
    let standing = Standing::now();
    standing.iter().for_each(Standing::hush);
    let given = rpassword::prompt_password("passphrase of identity.age: ");
    let given = given.map(Secret::new).map_err(|e| lacking(e.to_string()))?;
    censor::know(&given);
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Faults;

    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn read(text: &str, is_shared: bool) -> Result<VaultConfig, Vec<String>> {
        let faults = Faults::new("c.toml", text);
        let config = VaultConfig::read(&mut Section::root(text, faults.clone()), is_shared);
        if faults.lines().is_empty() { Ok(config) } else { Err(faults.lines()) }
    }

    #[test]
    fn the_identity_is_in_the_state_folder_unless_it_is_said_where() {
        assert_eq!(read("", false).unwrap(), VaultConfig::default());
        let text = format!("[vault]\nidentity = {{ credential = \"id\" }}\nrecipients = [\"{RECIPIENT}\"]");
        let config = read(&text, false).unwrap();
        assert_eq!(*config.holder(), Holder::Elsewhere(Source::Credential("id".into())));
        assert_eq!(config.recipients[0].to_string(), RECIPIENT);
    }

    #[test]
    fn a_passphrase_is_typed_or_comes_from_elsewhere() {
        assert_eq!(*read("[vault]\npassphrase = false", false).unwrap().holder(), Holder::File);
        assert_eq!(*read("[vault]\npassphrase = true", false).unwrap().holder(), Holder::Typed);
        let given = read("[vault]\npassphrase = { env = \"PASS\" }", false).unwrap();
        assert_eq!(*given.holder(), Holder::Passphrase(Source::Env("PASS".into())));
        assert_eq!(given.sources().flat_map(Source::variables).collect::<Vec<_>>(), ["PASS"]);
    }

    #[test]
    fn what_cannot_work_is_a_fault() {
        let upper = RECIPIENT.replace('q', "p");
        for wrong in [
            "identity = { vault = true }",
            "identity = \"keyring\"",
            "recipients = [\"ssh-ed25519 AAAA\"]",
            &format!("recipients = [\"{upper}\"]"),
            "recipient = []",
            "identity = { env = \"A\" }\npassphrase = true",
            "passphrase = { vault = true }",
            "passphrase = \"of mine\"",
        ] {
            assert_eq!(read(&format!("[vault]\n{wrong}"), false).unwrap_err().len(), 1, "{wrong}");
        }
        assert_eq!(read("[vault]", true).unwrap_err().len(), 1);
    }
}
