//! What an earlier version left: a key file, and secrets sealed in the database's rows. Both go into the vault, each step durable
//! before what it replaces is taken away; killed anywhere, the next opener goes on.

use std::fs;

use firstbell_core::failure::Failure;

use super::folder;
use super::kept::{Kept, secret_place};
use super::key;
use super::sql::{Aim, Lost, values};

/// Moves the rows, and then the key file's end.
pub(super) fn finish(kept: &Kept) -> Result<(), Failure> {
    let Some(vault) = &kept.file else { return Ok(()) };
    if kept.has_secrets()? {
        // The rows are read with the vault locked: what another process moved is not moved again after it was forgotten.
        vault.change(|contents| {
            let mut changed = false;
            for (owner, name, sealed) in kept.sealed_secrets()? {
                if contents.secret(&owner, &name).is_some() {
                    continue;
                }
                match kept.open_sealed(&secret_place(&owner, &name), &sealed) {
                    Ok(secret) => contents.keep(&owner, &name, &secret),
                    Err(failure) => tracing::warn!(%failure, "a secret of an earlier version is lost"),
                }
                changed = true;
            }
            Ok(((), changed))
        })?;
        kept.drop_secrets()?;
    }
    let folder = &kept.place.folder;
    let Some(old) = key::read_old(folder)? else { return Ok(()) };
    // Another one than the vault's was put there by somebody; it is not ours to take away.
    if vault.read()?.is_of(&old) {
        let path = folder.join(key::FILE);
        let gone = fs::remove_file(&path).and_then(|()| folder::sync(folder));
        match gone {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(folder::cannot(&path, "be removed", &e));
            }
            _ => tracing::info!("the key file of an earlier version is in the vault now"),
        }
    }
    Ok(())
}

/// Owner, name, and what was sealed.
type Row = (String, String, Vec<u8>);

impl Kept {
    fn has_secrets(&self) -> Result<bool, Failure> {
        Ok(!self.db.rows("SELECT 1 FROM secret LIMIT 1", &[])?.is_empty())
    }

    fn sealed_secrets(&self) -> Result<Vec<Row>, Failure> {
        let rows = self.db.rows("SELECT account, name, sealed FROM secret", &[])?;
        rows.into_iter().map(|mut row| Ok((row.text(0)?, row.text(1)?, row.bytes(2)?))).collect()
    }

    fn drop_secrets(&self) -> Result<(), Failure> {
        let tx = self.begin(Aim::Write)?;
        self.db.run("DELETE FROM secret", values![])?;
        tx.commit().map_err(Lost::failure)?;
        self.db.forget_copy()?;
        self.db.keep_copy();
        Ok(())
    }
}
