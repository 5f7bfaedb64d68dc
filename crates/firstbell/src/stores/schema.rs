//! The tables of the store, form by form, and the way from each form to the next.

use rusqlite::{Connection, params};

use super::chain::{GENESIS, link};
use super::seal::Key;

/// The form that this program writes.
pub(super) const FORM: i64 = 2;

const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE token (account TEXT NOT NULL, slot TEXT NOT NULL, api_key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        issued_ms INTEGER NOT NULL, trusted_until_ms INTEGER NOT NULL, suspect_from_ms INTEGER NOT NULL,
        dead_from_ms INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (account, slot)) STRICT;
    CREATE TABLE secret (account TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (account, name)) STRICT;";
const HISTORY: &str = "
    CREATE TABLE event (account TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, version INTEGER NOT NULL,
        body TEXT NOT NULL, link BLOB NOT NULL, PRIMARY KEY (account, seq)) STRICT;
    CREATE TABLE snapshot (account TEXT NOT NULL, seq INTEGER NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
        link BLOB NOT NULL, tag BLOB NOT NULL, PRIMARY KEY (account, seq)) STRICT;
    PRAGMA user_version = 2;";

/// The form of the tables that are there; 0 where there are none.
pub(super) fn form(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes all tables. To be called in a transaction.
pub(super) fn make(db: &Connection, id: &str) -> rusqlite::Result<()> {
    db.execute_batch(TABLES)?;
    db.execute_batch(HISTORY)?;
    name(db, id)
}

/// Form 1 had no links: each event gets its own, in the order that was kept. To be called in a transaction.
pub(super) fn chain_up(db: &Connection, key: &Key, id: &str) -> rusqlite::Result<()> {
    db.execute_batch("ALTER TABLE event RENAME TO unlinked;")?;
    db.execute_batch(HISTORY)?;
    let mut query =
        db.prepare("SELECT account, seq, at_ms, version, body FROM unlinked ORDER BY account, seq")?;
    let mut rows = query.query([])?;
    let mut last = (String::new(), GENESIS);
    while let Some(row) = rows.next()? {
        let (account, body): (String, String) = (row.get(0)?, row.get(4)?);
        let (seq, at_ms, version): (i64, i64, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let before = if last.0 == account { last.1 } else { GENESIS };
        let link = link(key, &before, &account, (seq, at_ms, version, &body));
        let row = params![account, seq, at_ms, version, body, link];
        db.execute("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?;
        last = (account, link);
    }
    drop(rows);
    drop(query);
    db.execute_batch("DROP TABLE unlinked;")?;
    name(db, id)
}

/// The store's name for itself, and that no mark was ever written for it.
fn name(db: &Connection, id: &str) -> rusqlite::Result<()> {
    db.execute("INSERT INTO meta VALUES ('id', CAST(?1 AS BLOB))", [id])?;
    db.execute("INSERT INTO meta VALUES ('unmarked', x'')", []).map(drop)
}
