//! The store against edits and cuts, restored backups and moved machines, damage, an older form, and the years.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backups;
mod damage;
mod edits;
mod forms;
mod lease;
#[path = "../support/postgres.rs"]
mod postgres;
mod years;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use firstbell::ports::{Store, TokenChange};
use firstbell::stores::{Place, Server, Stores};
use firstbell_core::budget::{Cause, Fingerprint, Verdict};
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Stop};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Flush, Life, Token};
use jiff::Timestamp;
use postgres::Postgres;
use rusqlite::Connection;
use tempfile::TempDir;

type Story = Vec<(Timestamp, Event)>;
/// What is done to a file, with its name.
type Harm = (&'static str, fn(&Path));

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_404_600 + second).unwrap()
}

fn fp(text: &str) -> Fingerprint {
    Fingerprint(text.into())
}

fn intent(step: u64) -> Event {
    Event::Intent { cause: Cause::Code, credential: fp("seed"), time_step: Some(step) }
}

/// A folder with a state folder and its mark in it; and the address of a database, where that has the store.
struct Machine(TempDir, Option<String>);

impl Machine {
    fn new() -> Machine {
        // In memory where the machine has such a place: thousands of syncs cost nothing there.
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        Machine(tempfile::Builder::new().prefix("fb-test-").tempdir_in(parent).unwrap(), None)
    }

    /// One whose store is in a database of this server.
    fn on(server: &Postgres) -> Machine {
        Machine(Machine::new().0, Some(server.database(None)))
    }

    /// Another one with the same store.
    fn beside(other: &Machine) -> Machine {
        let machine = Machine(Machine::new().0, other.1.clone());
        fs::create_dir(machine.state()).unwrap();
        fs::set_permissions(machine.state(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::copy(other.state().join("key"), machine.state().join("key")).unwrap();
        machine
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn mark(&self) -> PathBuf {
        self.0.path().join("state.mark")
    }

    fn open(&self) -> Stores {
        let server = self.1.as_ref().map(|url| Server {
            url: Secret::new(url.clone()),
            authority: None,
            lease_ms: 30_000,
        });
        Place { server, ..Place::of(&self.state()) }.open().unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(self.state().join("store.db")).unwrap()
    }

    /// What somebody does to the tables who has no key.
    fn edit(&self, sql: &str) {
        match &self.1 {
            None => self.database().execute_batch(sql).unwrap(),
            Some(url) => {
                let sql = sql.replace("x''", "''").replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')");
                postgres::execute(url, &format!("SET search_path = firstbell; {sql}"));
            }
        }
    }

    /// One event, by whoever has the turn for it.
    fn record(&self, account: &str, moment: Timestamp, event: Event) {
        let stores = self.open();
        let _turn = stores.turns().try_take(account).unwrap().unwrap();
        stores.store().record(account, &[(moment, event)], TokenChange::Keep).unwrap();
    }

    /// Some mornings, each in a process of its own.
    fn live(&self, account: &str, steps: std::ops::Range<u64>) {
        let mut stores = self.open();
        for step in steps {
            // A connection costs more than opening a file.
            if self.1.is_none() {
                stores = self.open();
            }
            let second = i64::try_from(step).unwrap() * 100;
            let _turn = stores.turns().try_take(account).unwrap().unwrap();
            stores.store().attest(account, at(second)).unwrap();
            stores.store().record(account, &[(at(second), intent(step))], TokenChange::Keep).unwrap();
            let judged = Event::Judged { cause: Cause::Code, verdict: Verdict::Accepted };
            stores.store().record(account, &[(at(second + 1), judged)], TokenChange::Keep).unwrap();
        }
    }

    fn back_up(&self) -> TempDir {
        let backup = TempDir::new().unwrap();
        copy(&self.state(), backup.path());
        backup
    }

    fn restore(&self, backup: &TempDir) {
        fs::remove_dir_all(self.state()).unwrap();
        copy(backup.path(), &self.state());
    }

    fn stop(&self, account: &str) -> Option<Stop> {
        let state = self.open().store().attest(account, at(50_000)).unwrap();
        let stops = [Cause::Password, Cause::Code].map(|cause| state.budget.admits(cause, &fp("x")).err());
        assert_eq!(stops[0], stops[1]);
        stops[0]
    }

    fn restorations(&self, account: &str) -> usize {
        let history = self.open().store().history(account).unwrap();
        history.iter().filter(|(_, event)| *event == Event::Restored).count()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> String {
    match outcome {
        Err(failure @ Failure::Broken { .. }) => {
            assert!(!failure.cure().is_empty());
            failure.to_string()
        }
        other => panic!("{other:?}"),
    }
}

fn token(generation: u64) -> Token {
    let access = Access::parse(Secret::new("t0ken".repeat(6))).unwrap();
    Token {
        access,
        api_key: "key".into(),
        generation,
        life: Life::of(at(0), Flush { begins_h: 5, ends_h: 8 }),
    }
}

fn keep_token(store: &dyn Store, generation: u64) {
    let record = |event, change| store.record("a", &[(at(9), event)], change).unwrap();
    let token = token(generation);
    record(Event::Issued { generation }, TokenChange::Pend(&token));
    record(Event::Proven { generation }, TokenChange::Promote);
}
