//! What can go wrong with the shared database, in our own words: what the server says may quote rows and addresses.

use firstbell_core::failure::{Failure, Part};
use tokio_postgres::error::SqlState;

use super::super::folder::broken;
use crate::database;

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
        database::code_of(error).map_or_else(Fault::Away, Fault::Sql)
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
