//! The store's database on a PostgreSQL server: transactions in which nobody writes whose turn is over.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use firstbell_core::failure::{Failure, Part};

use super::super::folder::broken;
use super::super::sql::{Aim, Lost, Row, Sql, Value, values};
use super::fault::Fault;
use super::link::Link;
use crate::clock::MachineClock;
use crate::ports::Clock;

/// A process that is stopped within a transaction holds its locks for five seconds at most. Where the server was told to confirm
/// before a write is on disk, it is told otherwise.
macro_rules! begin {
    ($mode:literal) => {
        concat!(
            "BEGIN ISOLATION LEVEL ",
            $mode,
            "; SET LOCAL search_path = firstbell; SET LOCAL statement_timeout = '5s';
            SET LOCAL idle_in_transaction_session_timeout = '5s';
            SELECT set_config('synchronous_commit', 'on', true)
                WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
        )
    };
}
pub(super) const LOOK: &str = begin!("REPEATABLE READ, READ ONLY");
pub(super) const WRITE: &str = begin!("READ COMMITTED, READ WRITE");
const BROKEN_CURE: &str = "firstbell does not log in on a history that is not whole, but a stored token may still be asked \
    for. Put the database back from a backup. If there is none, log in by hand once, then let firstbell begin with an empty \
    database and store the secrets anew.";

/// One holding of a lease: its epoch, and whose it is. A database that was turned back may count an epoch twice; letters of
/// chance in the holder's name tell the two apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) epoch: i64,
    pub(super) holder: String,
}

/// What this process holds in the database, by name.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Fences(Arc<Mutex<BTreeMap<String, Claim>>>);

impl Fences {
    pub(super) fn hold(&self, name: &str, claim: &Claim) {
        self.held().insert(name.to_owned(), claim.clone());
    }

    pub(super) fn let_go(&self, name: &str, claim: &Claim) {
        let mut held = self.held();
        if held.get(name) == Some(claim) {
            held.remove(name);
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Claim>> {
        self.0.lock().expect("nobody panics who holds it")
    }
}

const LOGIN: &str = "login/";

/// The row of an account's login turn.
pub(in super::super) fn turn_of(account: &str) -> String {
    format!("{LOGIN}{account}")
}

/// A store on a server.
#[derive(Debug)]
pub(in super::super) struct Postgres {
    pub(super) link: Link,
    pub(super) fences: Fences,
    lease_ms: i64,
    clock: MachineClock,
    /// Until when, on a clock that also runs while the machine sleeps, what was written last may be acted on.
    until_ms: Cell<u64>,
}

impl Postgres {
    pub(super) fn new(link: Link, fences: &Fences, lease_ms: u64) -> Postgres {
        let (fences, lease_ms) = (fences.clone(), i64::try_from(lease_ms).unwrap_or(i64::MAX));
        Postgres { link, fences, lease_ms, clock: MachineClock::start(), until_ms: Cell::new(0) }
    }

    /// Proves that everything which this process holds is still its own, until this transaction is over: whoever takes a lease
    /// over changes its row, and waits for us.
    fn fence(&self, account: &str, spends: bool) -> Result<(), Failure> {
        let (held, turn) = (self.fences.held().clone(), turn_of(account));
        if spends && !held.contains_key(&turn) {
            let why = format!("{account} is to submit without its turn");
            return Err(broken(Part::Store, why, "This is a fault of firstbell: please report it."));
        }
        // What is announced must be over before the lease is: half of it must be left, and that half is ours.
        let rest = if spends { self.lease_ms / 2 } else { 0 };
        if spends {
            self.until_ms.set(self.clock.run_ms() + rest.unsigned_abs());
        }
        for (name, claim) in held.iter().filter(|(name, _)| **name == turn || !name.starts_with(LOGIN)) {
            // One after another writes to an account's history.
            let lock = if *name == turn { "UPDATE" } else { "SHARE" };
            let sql = format!(
                "SELECT 1::bigint FROM lease WHERE name = ?1 AND epoch = ?2 AND holder = ?3
                AND ends > clock_timestamp() + ?4 * interval '1 ms' FOR {lock}"
            );
            let row = values![name.as_str(), claim.epoch, claim.holder.as_str(), rest];
            if self.rows(&sql, row)?.is_empty() {
                return Err(superseded());
            }
        }
        if !held.contains_key(&turn) {
            let sql = "INSERT INTO lease VALUES (?1, 0, '', '-infinity') ON CONFLICT (name) DO NOTHING";
            self.run(sql, values![turn.as_str()])?;
            self.rows("SELECT 1::bigint FROM lease WHERE name = ?1 FOR UPDATE", values![turn.as_str()])?;
        }
        Ok(())
    }
}

/// Another node may have begun since.
fn superseded() -> Failure {
    let why =
        "this process was stopped or cut off for too long, and its turn is over: another node may be at work";
    broken(
        Part::Store,
        why.into(),
        "Nothing was submitted after that. firstbell status, on any node, says how it stands.",
    )
}

impl Sql for Postgres {
    fn name(&self) -> String {
        "the store's database".into()
    }

    fn broken_cure(&self) -> &'static str {
        BROKEN_CURE
    }

    fn begin(&self, aim: Aim<'_>) -> Result<(), Failure> {
        let sql = match aim {
            Aim::Look => LOOK,
            Aim::Write | Aim::Append { .. } => WRITE,
        };
        self.link.begin(sql).map_err(Fault::failure)?;
        let Aim::Append { account, spends } = aim else { return Ok(()) };
        self.fence(account, spends).inspect_err(|_| self.roll_back())
    }

    fn commit(&self) -> Result<(), Lost> {
        // Whatever went wrong: the server may have done it before it could say so.
        self.link.plain("COMMIT").map_err(|fault| Lost::Unknown(fault.failure()))
    }

    fn in_time(&self) -> Result<(), Failure> {
        if self.clock.run_ms() < self.until_ms.get() { Ok(()) } else { Err(superseded()) }
    }

    fn roll_back(&self) {
        let _over = self.link.plain("ROLLBACK");
    }

    fn run(&self, sql: &str, values: &[Value]) -> Result<u64, Failure> {
        self.link.run(sql, values).map_err(Fault::failure)
    }

    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Failure> {
        self.link.rows(sql, values).map_err(Fault::failure)
    }
}
