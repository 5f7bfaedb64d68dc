//! `firstbell secrets rekey`: new keys for store and vault, under a daemon that goes on.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::say;

pub(super) fn run(context: &Context) -> Result<Exit, Exit> {
    let rekeyed =
        context.stores().and_then(|stores| stores.rekey()).map_err(|failure| Exit::failed(&failure))?;
    say::error("store and vault have new keys; a daemon that runs goes on with them");
    say::error(match rekeyed.identity {
        true => {
            "note: backups of before open with the identity of before. Whoever had both knows the secrets in them: change those too."
        }
        false => {
            "note: the identity is kept elsewhere and is the one of before. For another one: age-keygen, its recipient under \
             vault.recipients, rekey, and then it in the place of the one of before."
        }
    });
    Ok(Exit::done(json!({ "identity": rekeyed.identity })))
}
