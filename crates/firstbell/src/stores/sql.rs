//! What the store asks of a database: one transaction at a time, in SQL that SQLite and PostgreSQL read alike.

use std::fmt::Debug;

use firstbell_core::failure::{Failure, Part};

use super::folder::broken;
use super::seal::Tag;

/// What goes into a row and comes out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Nothing,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aim<'a> {
    /// Several questions about one moment.
    Look,
    /// Writing what belongs to no history.
    Write,
    /// Writing to the history of an account. Nobody else does so before it is over.
    Append {
        account: &'a str,
        /// Whether something leaves this machine after it: whose turn is over must not write it.
        spends: bool,
    },
}

/// Why a transaction did not end well.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing of it was written.
    Whole(Failure),
    /// Nobody knows whether it was written.
    Unknown(Failure),
}

impl Lost {
    pub(super) fn failure(self) -> Failure {
        match self {
            Lost::Whole(failure) | Lost::Unknown(failure) => failure,
        }
    }
}

/// A database, with at most one open transaction. The places of values are written `?1`, `?2` …
pub(super) trait Sql: Debug {
    /// What messages call it.
    fn name(&self) -> String;
    /// What to do where a history is not whole.
    fn broken_cure(&self) -> &'static str;
    fn begin(&self, aim: Aim<'_>) -> Result<(), Failure>;
    /// When this returns, what was written survives a power cut.
    fn commit(&self) -> Result<(), Lost>;
    fn roll_back(&self);
    /// Changes rows; gives how many.
    fn run(&self, sql: &str, values: &[Value]) -> Result<u64, Failure>;
    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Failure>;
    /// Whether what was just written may still be followed by what it announces.
    fn in_time(&self) -> Result<(), Failure> {
        Ok(())
    }
    /// A good moment has come: what can be healed from a copy gets a fresh one. What was promised is kept without it.
    fn keep_copy(&self) {}
    /// What is forgotten must not come back with the copy.
    fn forget_copy(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// An open transaction. Dropped without [`Transaction::commit`], nothing of it was written.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    db: &'a dyn Sql,
    open: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(db: &'a dyn Sql, aim: Aim<'_>) -> Result<Transaction<'a>, Failure> {
        db.begin(aim)?;
        Ok(Transaction { db, open: true })
    }

    pub(super) fn commit(mut self) -> Result<(), Lost> {
        self.db.commit()?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            self.db.roll_back();
        }
    }
}

/// One row that was read.
#[derive(Debug)]
pub(super) struct Row(pub(super) Vec<Value>);

impl Row {
    pub(super) fn number(&self, place: usize) -> Result<i64, Failure> {
        self.maybe_number(place)?.ok_or_else(misshapen)
    }

    pub(super) fn maybe_number(&self, place: usize) -> Result<Option<i64>, Failure> {
        match self.0.get(place) {
            Some(Value::Number(number)) => Ok(Some(*number)),
            Some(Value::Nothing) => Ok(None),
            _ => Err(misshapen()),
        }
    }

    pub(super) fn text(&mut self, place: usize) -> Result<String, Failure> {
        match self.0.get_mut(place) {
            Some(Value::Text(text)) => Ok(std::mem::take(text)),
            _ => Err(misshapen()),
        }
    }

    pub(super) fn bytes(&mut self, place: usize) -> Result<Vec<u8>, Failure> {
        match self.0.get_mut(place) {
            Some(Value::Bytes(bytes)) => Ok(std::mem::take(bytes)),
            _ => Err(misshapen()),
        }
    }

    pub(super) fn tag(&mut self, place: usize) -> Result<Tag, Failure> {
        self.bytes(place)?.try_into().map_err(|_| misshapen())
    }
}

fn misshapen() -> Failure {
    let why = "a row of the store does not have the form that firstbell gave it".to_owned();
    broken(Part::Store, why, "Somebody changed the store's tables: put them back from a backup.")
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.to_owned())
    }
}

impl From<Tag> for Value {
    fn from(tag: Tag) -> Value {
        Value::Bytes(tag.to_vec())
    }
}

/// Values of several kinds, in the order of their places.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$(Value::from($value)),*] };
}
pub(super) use values;
