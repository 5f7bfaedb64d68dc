//! What can go wrong with the shared database, in our own words: what the server says may quote rows and addresses.

use std::io;

use firstbell_core::failure::{Failure, Part};
use tokio_postgres::error::SqlState;

use super::super::folder::broken;

/// Why the database did not do what it was asked.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// There is no connection, and why.
    Away(String),
    /// No answer came in time.
    Late,
    /// The address or the authority's file cannot be used.
    Unusable(Failure),
    /// The server's own code.
    Sql(SqlState),
}

impl Fault {
    pub(super) fn of(error: &tokio_postgres::Error) -> Fault {
        if let Some(code) = error.code() {
            return Fault::Sql(code.clone());
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Fault::Away(format!("its encrypted connection is not good: {error}"));
            }
            if let Some(error) = error.downcast_ref::<io::Error>()
                && error.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>())
            {
                return Fault::Away(error.kind().to_string());
            }
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        Fault::Away(
            if error.is_closed() { "the connection broke" } else { "no connection could be made" }.into(),
        )
    }

    pub(super) fn failure(self) -> Failure {
        const REACH: &str = "Look whether the server runs and this machine reaches it. Nothing is submitted to the broker \
                             before the store can be written.";
        let (why, cure) = match self {
            Fault::Unusable(failure) => return failure,
            Fault::Away(why) => (format!("cannot be reached: {why}"), REACH),
            Fault::Late => ("did not answer in time".to_owned(), REACH),
            Fault::Sql(code) => (format!("refuses (SQLSTATE {})", code.code()), cure(&code)),
        };
        broken(Part::Store, format!("the store's database {why}"), cure)
    }
}

fn cure(code: &SqlState) -> &'static str {
    match code.code() {
        "28000" | "28P01" => {
            "It does not let this user in: look at the user and the password in its address."
        }
        "3D000" => "There is no database of that name: make it, or mend the address.",
        "42501" => {
            "This user may not do so: let firstbell's user own its database (CREATE DATABASE firstbell OWNER firstbell)."
        }
        "53100" => "The server's disk is full: free some space, then try again.",
        "25006" => "This server is a standby: name the primary, or several hosts in one address.",
        "57014" | "55P03" => "Another process holds the store; try again.",
        _ => "Try again; if it stays, look at the server's log.",
    }
}
