//! The rows of tokens: sealed, and bound to everything that gives a token its worth.

use firstbell_core::failure::{Failure, Part};
use firstbell_core::token::{Access, Life, Token};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::folder::broken;
use super::sqlite::SqliteStore;
use crate::ports::TokenChange;

impl SqliteStore {
    pub(super) fn token(&self, account: &str, slot: &str) -> Result<Option<Token>, Failure> {
        let query =
            "SELECT generation, issued_ms, trusted_until_ms, suspect_from_ms, dead_from_ms, sealed, api_key
            FROM token WHERE account = ?1 AND slot = ?2";
        let row = self
            .db
            .query_row(query, [account, slot], |row| {
                let numbers: [i64; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
                Ok((numbers, row.get::<_, Vec<u8>>(5)?, row.get::<_, String>(6)?))
            })
            .optional()
            .map_err(|e| self.fault(&e))?;
        let Some((numbers, sealed, api_key)) = row else { return Ok(None) };
        let damaged = || {
            let why = format!("the token of {account} in {} is damaged", self.path.display());
            broken(Part::Store, why, "Log in again: firstbell login.")
        };
        let [generation, times @ ..] = numbers;
        let generation = u64::try_from(generation).map_err(|_| damaged())?;
        let life = life_of(times).ok_or_else(damaged)?;
        let secret = self.open_sealed(&token_place(account, &api_key, generation, &life), &sealed)?;
        let access = Access::parse(secret).ok_or_else(damaged)?;
        Ok(Some(Token { access, api_key, generation, life }))
    }

    pub(super) fn change(
        &self,
        tx: &Transaction<'_>,
        account: &str,
        change: &TokenChange<'_>,
    ) -> Result<(), Failure> {
        let run = |sql: &str| tx.execute(sql, [account]).map_err(|e| self.fault(&e));
        match change {
            TokenChange::Keep => {}
            TokenChange::Pend(token) => {
                let sealed = self.seal(
                    &token_place(account, &token.api_key, token.generation, &token.life),
                    token.access.secret(),
                )?;
                let life = &token.life;
                let row = params![
                    account,
                    token.api_key,
                    i64::try_from(token.generation).expect("generations are counted one by one"),
                    life.issued.as_millisecond(),
                    life.trusted_until.as_millisecond(),
                    life.suspect_from.as_millisecond(),
                    life.dead_from.as_millisecond(),
                    sealed
                ];
                let sql = "INSERT OR REPLACE INTO token VALUES (?1, 'pending', ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                tx.execute(sql, row).map_err(|e| self.fault(&e))?;
            }
            TokenChange::Promote => {
                run("DELETE FROM token WHERE account = ?1 AND slot = 'current'")?;
                let moved = run("UPDATE token SET slot = 'current' WHERE account = ?1 AND slot = 'pending'")?;
                // The caller's transaction is dropped with this error, and the current token stays.
                if moved != 1 {
                    let why = "another process changed the token in this moment".into();
                    return Err(broken(Part::Store, why, "Run firstbell login again."));
                }
            }
            TokenChange::Drop => drop(run("DELETE FROM token WHERE account = ?1 AND slot = 'pending'")?),
        }
        Ok(())
    }
}

/// A token is bound to account, app, generation and all its times: nobody lengthens a life by editing the row.
fn token_place(account: &str, api_key: &str, generation: u64, life: &Life) -> String {
    let ms =
        [life.issued, life.trusted_until, life.suspect_from, life.dead_from].map(Timestamp::as_millisecond);
    format!("token/{account}/{api_key}/{generation}/{ms:?}")
}

fn life_of(times_ms: [i64; 4]) -> Option<Life> {
    let at = |ms| Timestamp::from_millisecond(ms).ok();
    let [issued, trusted_until, suspect_from, dead_from] = times_ms;
    Some(Life {
        issued: at(issued)?,
        trusted_until: at(trusted_until)?,
        suspect_from: at(suspect_from)?,
        dead_from: at(dead_from)?,
    })
}
