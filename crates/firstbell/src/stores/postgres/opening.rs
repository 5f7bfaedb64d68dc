//! How the shared store is opened: of this key and in this form, or not at all.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;

use super::super::folder::broken;
use super::super::kept::no_chance;
use super::super::key;
use super::super::opening::{PROBE, PROBE_PLACE};
use super::super::place::Place;
use super::super::seal::Key;
use super::super::sql::{Value, values};
use super::database::{Fences, LOOK, Postgres, WRITE};
use super::fault::Fault;
use super::link::Link;
use super::server::Server;

const FORM: &[u8] = b"1";
/// Any number, as long as nobody else uses it in this database: who makes the tables makes them alone.
const MAKING: i64 = 0x6669_7273_7462_656c;
const COPY: &str = "Every node needs the same key. Copy the file named key from the state folder of a node that works, over a \
    safe way (scp -p), into this node's, with mode 600; and take away one that is there already.";

const TABLES: &str = "
    CREATE SCHEMA IF NOT EXISTS firstbell;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
    CREATE TABLE token (account TEXT NOT NULL, slot TEXT NOT NULL, api_key TEXT NOT NULL, generation BIGINT NOT NULL,
        issued_ms BIGINT NOT NULL, trusted_until_ms BIGINT NOT NULL, suspect_from_ms BIGINT NOT NULL,
        dead_from_ms BIGINT NOT NULL, sealed BYTEA NOT NULL, PRIMARY KEY (account, slot));
    CREATE TABLE secret (account TEXT NOT NULL, name TEXT NOT NULL, sealed BYTEA NOT NULL, PRIMARY KEY (account, name));
    CREATE TABLE event (account TEXT NOT NULL, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, version BIGINT NOT NULL,
        body TEXT NOT NULL, link BYTEA NOT NULL, PRIMARY KEY (account, seq));
    CREATE TABLE snapshot (account TEXT NOT NULL, seq BIGINT NOT NULL, version BIGINT NOT NULL, body TEXT NOT NULL,
        link BYTEA NOT NULL, tag BYTEA NOT NULL, PRIMARY KEY (account, seq));
    CREATE TABLE lease (name TEXT PRIMARY KEY, epoch BIGINT NOT NULL, holder TEXT NOT NULL, ends TIMESTAMPTZ NOT NULL)";

/// Opens the store; makes one where the database has none yet.
pub(in super::super) fn open(
    place: &Place,
    server: &Arc<Server>,
    fences: &Fences,
) -> Result<(Postgres, Arc<Key>), Failure> {
    let link = Link::new(Arc::clone(server)).map_err(Fault::failure)?;
    if !link.whole(LOOK, is_made).map_err(Fault::failure)? {
        let key = Arc::new(key::open(&place.folder, true)?);
        make(&link, &key)?;
    }
    let key = match key::open(&place.folder, false) {
        Err(Failure::Broken { part: Part::Key, why, .. }) => return Err(broken(Part::Key, why, COPY)),
        key => Arc::new(key?),
    };
    check(&link, &key)?;
    Ok((Postgres::new(link, fences, server.lease_ms), key))
}

fn is_made(link: &Link) -> Result<bool, Fault> {
    let found = link.rows("SELECT 1::bigint WHERE to_regclass('firstbell.meta') IS NOT NULL", &[])?;
    Ok(!found.is_empty())
}

fn make(link: &Link, key: &Key) -> Result<(), Failure> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| no_chance(&e))?;
    let id = HEXLOWER.encode(&id);
    let probe = key.seal(PROBE_PLACE, &Secret::new(PROBE.into())).map_err(|e| no_chance(&e))?;
    let made = link.whole(WRITE, |link| {
        link.rows("SELECT 1::bigint FROM pg_advisory_xact_lock(?1)", values![MAKING])?;
        if is_made(link)? {
            return Ok(());
        }
        link.plain(TABLES)?;
        for (name, value) in [("id", id.as_bytes()), ("form", FORM), ("probe", &probe)] {
            link.run("INSERT INTO meta VALUES (?1, ?2)", values![name, value])?;
        }
        Ok(())
    });
    made.map_err(Fault::failure)
}

fn check(link: &Link, key: &Key) -> Result<(), Failure> {
    let of = |link: &Link, name: &str| link.rows("SELECT value FROM meta WHERE name = ?1", values![name]);
    let read = link.whole(LOOK, |link| {
        let durable = link.rows("SELECT current_setting('fsync')", &[])?;
        Ok((durable, of(link, "form")?, of(link, "probe")?))
    });
    let (mut durable, mut form, mut probe) = read.map_err(Fault::failure)?;
    let first = |rows: &mut Vec<super::super::sql::Row>| rows.pop().map(|mut row| row.bytes(0)).transpose();
    if durable.pop().map(|mut row| row.text(0)).transpose()?.as_deref() != Some("on") {
        let why = "the store's database does not write to its disk before it confirms (fsync = off)";
        return Err(broken(Part::Store, why.into(), "Set fsync = on in postgresql.conf, and reload."));
    }
    if first(&mut form)?.as_deref() != Some(FORM) {
        let why = "the store's database was written by a newer firstbell";
        return Err(broken(Part::Store, why.into(), "Install that version on this node too."));
    }
    let sealed = first(&mut probe)?.unwrap_or_default();
    key.open(PROBE_PLACE, &sealed).map(drop).map_err(|_| {
        broken(Part::Key, "the key file of this node does not open the store's database".into(), COPY)
    })
}
