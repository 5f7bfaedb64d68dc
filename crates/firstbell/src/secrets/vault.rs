//! Secrets from the sealed vault in the store.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::name::{Name, Owner};
use crate::ports::Vault;

pub(super) fn fetch(owner: Owner<'_>, name: Name, vault: &dyn Vault) -> Result<Secret, Failure> {
    let found = vault.fetch(owner.id, name.as_str())?;
    found.ok_or_else(|| {
        let cure = format!("Run firstbell secrets set {} {}: {}.", name.as_str(), owner.name, name.hint());
        name.missing("is not in the vault yet".into(), cure)
    })
}
