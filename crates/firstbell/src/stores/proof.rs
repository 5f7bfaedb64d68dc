//! Whether what lies on this machine today still opens the store: a living process would not notice before its next start.

use firstbell_core::failure::{Failure, Part};

use super::folder::broken;
use super::kept::Kept;
use super::key;
use super::opening::PROBE_PLACE;
use super::sql::Aim;
use super::vault::VaultFile;

impl Kept {
    pub(super) fn proves_key(&self) -> Result<(), Failure> {
        if let Some(opener) = &self.place.identity {
            opener.prove()?;
        }
        // Between the looks at vault and store somebody may give both new keys: what is so only once is no alarm.
        let opens = matches!(self.opens_now(), Ok(true)) || self.opens_now()?;
        opens.then_some(()).ok_or_else(|| {
            let why = format!("the key on this machine does not open {} any more", self.db.name());
            broken(
                Part::Key,
                why,
                "Put back the key that belongs to this store, before firstbell is started anew.",
            )
        })
    }

    fn opens_now(&self) -> Result<bool, Failure> {
        let keys = match &self.file {
            Some(_) => {
                let (key, next) = VaultFile::open(&self.place, false)?.1.keys();
                [Some(key), next]
            }
            None => [Some(key::open(&self.place.folder, false)?), None],
        };
        let _tx = self.begin(Aim::Look)?;
        let probe = self.meta("probe")?.unwrap_or_default();
        Ok(keys.iter().flatten().any(|key| key.open(PROBE_PLACE, &probe).is_ok()))
    }
}
