//! The default database: one SQLite file, durable at each commit.

use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

use super::folder::broken;
use super::previous::FilesLock;
use super::sql::{Aim, Lost, Row, Sql, Value};

pub(super) const FILE: &str = "store.db";
pub(super) const DAMAGED_CURE: &str = "The file is damaged: put it back from a backup. firstbell does not log in without \
    its history; if there is no backup, log in by hand once, then move store.db and store.previous.db away and store the \
    secrets anew.";
const BROKEN_CURE: &str = "firstbell does not log in on a history that is not whole, but a stored token may still be asked \
    for. Put the state folder back from a backup. If there is none, log in by hand once, then move store.db and \
    store.previous.db away and store the secrets anew.";

/// A store in one file, `store.db`, of the state folder.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
    /// Whether the previous generation had to take the store's place just now.
    pub(super) healed: bool,
}

impl Sqlite {
    fn fault(&self, error: &rusqlite::Error) -> Failure {
        fault(&self.path, error)
    }
}

impl Sql for Sqlite {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn broken_cure(&self) -> &'static str {
        BROKEN_CURE
    }

    fn begin(&self, aim: Aim<'_>) -> Result<(), Failure> {
        let sql = match aim {
            Aim::Look => "BEGIN DEFERRED",
            Aim::Write | Aim::Append { .. } => "BEGIN IMMEDIATE",
        };
        self.db.execute_batch(sql).map_err(|e| self.fault(&e))
    }

    fn commit(&self) -> Result<(), Lost> {
        self.db.execute_batch("COMMIT").map_err(|e| Lost::Whole(self.fault(&e)))
    }

    fn roll_back(&self) {
        // A fault may have ended the transaction already.
        let _over = self.db.execute_batch("ROLLBACK");
    }

    fn run(&self, sql: &str, values: &[Value]) -> Result<u64, Failure> {
        let changed = self.db.execute(sql, params_from_iter(values)).map_err(|e| self.fault(&e))?;
        Ok(changed as u64)
    }

    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Failure> {
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut query = self.db.prepare(sql)?;
            let width = query.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                let cells = (0..width).map(|place| Ok(Value::from(row.get_ref(place)?)));
                cells.collect::<rusqlite::Result<_>>().map(Row)
            };
            query.query_map(params_from_iter(values), row)?.collect()
        };
        read().map_err(|e| self.fault(&e))
    }

    fn keep_copy(&self) {
        let copy = |into: &Path| {
            self.db.execute("VACUUM INTO ?1", [into.to_string_lossy()]).map(drop).map_err(|e| self.fault(&e))
        };
        let kept = FilesLock::hold(&self.folder).and_then(|lock| lock.keep(copy));
        if let Err(failure) = kept {
            tracing::warn!(%failure, "the store has no fresh copy beside it");
        }
    }

    fn forget_copy(&self) -> Result<(), Failure> {
        FilesLock::hold(&self.folder)?.forget()
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Nothing => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Integer(number) => Value::Number(number),
            ValueRef::Text(text) => String::from_utf8(text.to_owned()).map_or(Value::Nothing, Value::Text),
            ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
            ValueRef::Null | ValueRef::Real(_) => Value::Nothing,
        }
    }
}

pub(super) fn fault(path: &Path, error: &rusqlite::Error) -> Failure {
    let cure = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "The disk is full: free some space, then try again.",
        Some(ErrorCode::ReadOnly) => {
            "The file system or the file is read-only: check the drive and the file's mode."
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "Another process holds the store; try again."
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DAMAGED_CURE,
        _ => "Check the drive and the state folder.",
    };
    broken(Part::Store, format!("the store {} failed: {error}", path.display()), cure)
}
