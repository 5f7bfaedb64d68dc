//! The `[vault]` of a configuration: where the identity is that opens the vault, and who can open it beside us.

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;

use crate::age::Recipient;
use crate::secrets::{Source, Wanted};
use crate::terminal::Standing;
use crate::written::Section;

/// How the vault is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultConfig {
    /// Where the identity is, unless it is in the state folder.
    pub(super) source: Option<Source>,
    /// Whether it is in the state folder under a passphrase.
    asked: bool,
    /// Further recipients.
    pub(super) recipients: Vec<Recipient>,
    given: Given,
}

/// What a person was asked for: once, for as long as this process lives.
#[derive(Clone, Debug, Default)]
struct Given(Arc<OnceLock<Secret>>);

impl PartialEq for Given {
    fn eq(&self, _: &Given) -> bool {
        true
    }
}

impl Eq for Given {}

impl VaultConfig {
    pub(super) fn read(root: &mut Section<'_>, is_shared: bool) -> VaultConfig {
        let Some(mut section) = root.section("vault") else { return VaultConfig::default() };
        if is_shared {
            section.fault("is for a store of this machine: with [store] the vault is in the database, under the file named key");
        }
        let source = section.section("identity").map(Source::of);
        if source == Some(Source::Vault) {
            section.fault("the identity cannot be in the vault that it opens");
        }
        let asked = section.flag("passphrase").unwrap_or_default();
        if asked && source.is_some() {
            section.fault("passphrase = true is for identity.age in the state folder, and not for an identity that is elsewhere");
        }
        let recipient = |text: &str| Recipient::parse(text).map_err(str::to_owned);
        let recipients = section.texts("recipients", recipient).unwrap_or_default();
        section.end(&["identity", "passphrase", "recipients"]);
        VaultConfig { source, asked, recipients, given: Given::default() }
    }

    /// The sources that are needed before there is a vault.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.source.iter()
    }

    /// The identity, where it is not in the state folder.
    pub(super) fn identity(&self) -> Result<Option<Secret>, Failure> {
        let store = "the identity that opens the vault (AGE-SECRET-KEY-1…)".into();
        let wanted = Wanted { owner: "", name: "vault.identity", store };
        self.source.as_ref().map(|source| source.outside(&wanted)).transpose()
    }
}

impl VaultConfig {
    /// The passphrase of the identity, where it has one: asked for at the terminal of whoever started us.
    pub(super) fn passphrase(&self) -> Result<Option<Secret>, Failure> {
        if !self.asked {
            return Ok(None);
        }
        if let Some(given) = self.given.0.get() {
            return Ok(Some(given.clone()));
        }
        let lacking = |why: String| {
            Failure::Broken {
            part: Part::Key,
            why: format!("the passphrase of identity.age cannot be asked for: {why}"),
            cure: "Start firstbell at a terminal; for a service keep the identity in a systemd credential ([vault] identity).".into(),
        }
        };
        if !std::io::stdin().is_terminal() {
            return Err(lacking("nobody is at a terminal".into()));
        }
        let standing = Standing::now();
        standing.iter().for_each(Standing::hush);
        let given =
            rpassword::prompt_password("passphrase of identity.age: ").map_err(|e| lacking(e.to_string()))?;
        Ok(Some(self.given.0.get_or_init(|| Secret::new(given)).clone()))
    }

    /// What was asked for is not asked for again.
    pub fn goes_on(&mut self, before: &VaultConfig) {
        self.given = before.given.clone();
    }
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
        assert_eq!(config.source, Some(Source::Credential("id".into())));
        assert_eq!(config.recipients[0].to_string(), RECIPIENT);
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
        ] {
            assert_eq!(read(&format!("[vault]\n{wrong}"), false).unwrap_err().len(), 1, "{wrong}");
        }
        assert_eq!(read("[vault]", true).unwrap_err().len(), 1);
    }
}
