//! Secrets from the sealed vault in the store.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::name::Name;
use crate::ports::Vault;

pub(super) fn fetch(account: &str, name: Name, vault: &dyn Vault) -> Result<Secret, Failure> {
    let found = vault.fetch(account, name.as_str())?;
    found.ok_or_else(|| {
        let cure = format!("Run firstbell secrets set {} {account}: {}.", name.as_str(), name.hint());
        name.missing("is not in the vault yet".into(), cure)
    })
}
