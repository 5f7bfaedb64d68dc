//! Secrets from environment variables: easy, and visible to every process of the same user.

use std::env::{VarError, var};

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::name::Wanted;

pub(super) fn fetch(variable: &str, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
    let missing = |why: &str| {
        wanted
            .missing(format!("{why} {variable}"), format!("Set {variable} in the environment of firstbell."))
    };
    var(variable).map(Secret::new).map_err(|e| match e {
        VarError::NotPresent => missing("is not in the environment variable"),
        VarError::NotUnicode(_) => missing("is not text in the environment variable"),
    })
}
