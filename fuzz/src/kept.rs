//! A store of our own writing, one cell of which another hand changes, and what firstbell then makes of it.

use firstbell::ports::TokenChange;
use firstbell::stores::{self, Stores};
use firstbell_core::budget::{Cause, Fingerprint};
use firstbell_core::event::Event;
use firstbell_core::secret::Secret;
use firstbell_core::state::State;
use firstbell_core::token::{Access, Flush, Life, Token};
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::{CANARY, Feed, folder};

/// What nothing is bound to, and does no harm: snapshots that nobody looks for, while their events are there.
pub const LOOSE: [(&str, &str); 2] = [("snapshot", "account"), ("snapshot", "version")];

const CELLS: [(&str, &str); 21] = [
    ("event", "account"),
    ("event", "seq"),
    ("event", "at_ms"),
    ("event", "version"),
    ("event", "body"),
    ("event", "link"),
    ("snapshot", "account"),
    ("snapshot", "seq"),
    ("snapshot", "version"),
    ("snapshot", "body"),
    ("snapshot", "link"),
    ("snapshot", "tag"),
    ("token", "account"),
    ("token", "slot"),
    ("token", "api_key"),
    ("token", "generation"),
    ("token", "issued_ms"),
    ("token", "trusted_until_ms"),
    ("token", "suspect_from_ms"),
    ("token", "dead_from_ms"),
    ("token", "sealed"),
];

/// A store, and all that is in it.
#[derive(Debug)]
pub struct Kept {
    stores: Stores,
    db: Connection,
    /// Every event.
    pub history: Vec<(Timestamp, Event)>,
    /// What they amount to: all of them, and all but the last one.
    pub states: (State, State),
    /// The current token and the one that waits, as texts.
    pub tokens: [String; 2],
    /// The one secret.
    pub secret: String,
}

/// A cell that was changed.
#[derive(Debug)]
pub struct Change {
    /// Where.
    pub table: &'static str,
    /// What.
    pub column: &'static str,
    row: i64,
    before: Value,
}

/// What firstbell makes of the store: none of each where it refuses.
#[derive(Debug)]
pub struct Outcome {
    /// Whether a look at the whole history finds fault.
    pub flaw: bool,
    /// The events.
    pub history: Option<Vec<(Timestamp, Event)>>,
    /// What they amount to.
    pub state: Option<State>,
    /// The tokens.
    pub tokens: [Option<String>; 2],
    /// The secret.
    pub secret: Option<String>,
}

impl Kept {
    /// Writes one: a history with a snapshot in it, two tokens and a secret.
    pub fn write() -> Kept {
        let stores = stores::open(&folder()).expect("a folder of our own");
        let (store, vault) = (stores.store(), stores.vault());
        let at = |n: u64| {
            Timestamp::from_second(1_795_404_600 + i64::try_from(n).expect("a few")).expect("in 2026")
        };
        for n in 0..65 {
            let story = (0..4).map(|i| (at(4 * n + i), event(i, n))).collect::<Vec<_>>();
            store.record("a", &story, TokenChange::Keep).expect("the store is ours");
        }
        for (generation, change) in [(1, Some(TokenChange::Promote)), (2, None)] {
            let access =
                Access::parse(Secret::new(format!("Token{generation:027}"))).expect("letters and digits");
            let life = Life::of(at(generation), Flush { begins_h: 5, ends_h: 8 });
            let token = Token { access, api_key: "samplekey".into(), generation, life };
            store.record("a", &[], TokenChange::Pend(&token)).expect("the store is ours");
            if let Some(change) = change {
                store.record("a", &[], change).expect("the store is ours");
            }
        }
        vault.keep("a", "password", &Secret::new(CANARY.into())).expect("the store is ours");
        let db = Connection::open(folder().join("store.db")).expect("the store is a file");
        let (state, tokens, secret) = (State::default(), Default::default(), String::new());
        let kept = Kept { stores, db, history: Vec::new(), states: (state.clone(), state), tokens, secret };
        let Outcome { flaw, history, state, tokens: [current, pending], secret } = kept.look();
        let history = history.expect("what we wrote is whole");
        let states = (state.expect("what we wrote is whole"), State::of(&history[..history.len() - 1]));
        assert!(!flaw && states.0 == State::of(&history) && history.len() == 260);
        let tokens = [current, pending].map(|token| token.expect("there are two"));
        Kept { history, states, tokens, secret: secret.expect("there is one"), ..kept }
    }

    /// Changes one cell; none where nothing is another or the table refuses it.
    pub fn change(&self, feed: &mut Feed<'_>) -> Option<Change> {
        let (table, column) = feed.one_of(&CELLS);
        let rows: i64 =
            self.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).ok()?;
        // One of the first rows or of the last ones.
        let (place, back) = (i64::from(feed.byte() / 2), feed.byte().is_multiple_of(2));
        let nth = if back { rows - 1 - place % rows } else { place % rows };
        let sql = format!("SELECT rowid, {column} FROM {table} ORDER BY rowid LIMIT 1 OFFSET {nth}");
        let (row, before): (i64, Value) =
            self.db.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
        let after = other(&before, feed);
        let change = Change { table, column, row, before };
        (after != change.before && self.set(&change, &after)).then_some(change)
    }

    /// Puts a cell back.
    pub fn undo(&self, change: &Change) {
        assert!(self.set(change, &change.before), "a cell that was changed can be put back");
    }

    fn set(&self, change: &Change, value: &Value) -> bool {
        let Change { table, column, row, .. } = change;
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
        self.db
            .prepare_cached(&sql)
            .and_then(|mut sql| sql.execute((value, row)))
            .is_ok_and(|changed| changed == 1)
    }

    /// Reads all of it.
    pub fn look(&self) -> Outcome {
        let (store, vault) = (self.stores.store(), self.stores.vault());
        let text = |token: Token| format!("{token:?} {}", token.access.secret().expose());
        let tokens = [store.current("a"), store.pending("a")].map(|token| token.ok().flatten().map(text));
        let secret = vault.fetch("a", "password").ok().flatten().map(|secret| secret.expose().to_owned());
        let flaw = store.verify("a").map_or(true, |found| found.flaw.is_some());
        Outcome { flaw, history: store.history("a").ok(), state: store.state("a").ok(), tokens, secret }
    }
}

fn event(kind: u64, n: u64) -> Event {
    let (cause, credential) = (Cause::Code, Fingerprint("5eed".into()));
    match kind {
        0 => Event::Began { driver: "chrome".into() },
        1 => Event::Intent { cause, credential, time_step: Some(n + 1) },
        2 => Event::Judged { cause, verdict: firstbell_core::budget::Verdict::Accepted },
        _ => Event::Proven { generation: n },
    }
}

/// The value with some bits of it turned, cut, or another one.
fn other(value: &Value, feed: &mut Feed<'_>) -> Value {
    let (way, place) = (feed.byte(), usize::from(feed.byte()));
    let turned = |bytes: &[u8], feed: &mut Feed<'_>| match way % 3 {
        0 => bytes[..place % (bytes.len() + 1)].to_vec(),
        1 => feed.piece(usize::MAX).to_vec(),
        _ => bytes
            .iter()
            .enumerate()
            .map(|(i, byte)| if i == place % bytes.len() { byte ^ way } else { *byte })
            .collect(),
    };
    match value {
        Value::Integer(number) => {
            let delta = feed.piece(8).iter().fold(0_i64, |all, byte| all << 8 | i64::from(*byte));
            Value::Integer(if way % 2 == 0 { number.wrapping_add(delta) } else { delta })
        }
        Value::Text(text) => {
            Value::Text(String::from_utf8_lossy(&turned(text.as_bytes(), feed)).into_owned())
        }
        Value::Blob(bytes) => Value::Blob(turned(bytes, feed)),
        value => value.clone(),
    }
}
