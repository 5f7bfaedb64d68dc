//! Secrets from the sealed vault in the store.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::name::Wanted;
use crate::ports::Vault;

pub(super) fn fetch(wanted: &Wanted<'_>, vault: &dyn Vault) -> Result<Secret, Failure> {
    let found = vault.fetch(wanted.owner, wanted.name)?;
    found.ok_or_else(|| wanted.missing("is not in the vault yet".into(), format!("Run {}.", wanted.store)))
}
