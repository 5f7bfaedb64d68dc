//! The rows of tokens: sealed, and bound to everything that gives a token its worth.

use firstbell_core::failure::{Failure, Part};
use firstbell_core::token::{Access, Life, Token};
use jiff::Timestamp;

use super::folder::broken;
use super::kept::Kept;
use super::sql::{Value, values};
use crate::censor;
use crate::ports::TokenChange;

impl Kept {
    pub(super) fn token(&self, account: &str, slot: &str) -> Result<Option<Token>, Failure> {
        let query =
            "SELECT generation, issued_ms, trusted_until_ms, suspect_from_ms, dead_from_ms, sealed, api_key
            FROM token WHERE account = ?1 AND slot = ?2";
        let row = self.db.rows(query, values![account, slot])?.pop();
        let Some(mut row) = row else { return Ok(None) };
        let numbers = [row.number(0)?, row.number(1)?, row.number(2)?, row.number(3)?, row.number(4)?];
        let (sealed, api_key) = (row.bytes(5)?, row.text(6)?);
        let damaged = || {
            let why = format!("the token of {account} in {} is damaged", self.db.name());
            broken(Part::Store, why, "Log in again: firstbell login.")
        };
        let [generation, times @ ..] = numbers;
        let generation = u64::try_from(generation).map_err(|_| damaged())?;
        let life = life_of(times).ok_or_else(damaged)?;
        let secret = self.open_sealed(&token_place(account, &api_key, generation, &life), &sealed)?;
        censor::know(&secret);
        let access = Access::parse(secret).ok_or_else(damaged)?;
        Ok(Some(Token { access, api_key, generation, life }))
    }

    /// Changes the tokens of an account. To be called in a transaction.
    pub(super) fn change(&self, account: &str, change: &TokenChange<'_>) -> Result<(), Failure> {
        let run = |sql: &str| self.db.run(sql, values![account]);
        match change {
            TokenChange::Keep => {}
            TokenChange::Pend(token) => {
                let sealed = self.seal(
                    &token_place(account, &token.api_key, token.generation, &token.life),
                    token.access.secret(),
                )?;
                let life = &token.life;
                let row = values![
                    account,
                    token.api_key.as_str(),
                    i64::try_from(token.generation).expect("generations are counted one by one"),
                    life.issued.as_millisecond(),
                    life.trusted_until.as_millisecond(),
                    life.suspect_from.as_millisecond(),
                    life.dead_from.as_millisecond(),
                    sealed.as_slice()
                ];
                run("DELETE FROM token WHERE account = ?1 AND slot = 'pending'")?;
                let sql = "INSERT INTO token VALUES (?1, 'pending', ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                self.db.run(sql, row)?;
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
