//! Secrets from the sealed vault in the store.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::{Name, Source, missing};
use crate::ports::Vault;

pub(super) fn fetch(account: &str, name: Name, vault: &dyn Vault) -> Result<Secret, Failure> {
    let found = vault.fetch(account, name.as_str())?;
    found.ok_or_else(|| missing(name, "is not in the vault yet".into(), Source::Vault.cure(account, name)))
}
