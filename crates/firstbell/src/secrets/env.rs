//! Secrets from environment variables: easy, and visible to every process of the same user.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::{Name, Source, missing};

pub(super) fn fetch(variable: &str, name: Name) -> Result<Secret, Failure> {
    let cure = || Source::Env(variable.to_owned()).cure("", name);
    match std::env::var(variable) {
        Ok(text) => Ok(Secret::new(text)),
        Err(std::env::VarError::NotPresent) => Err(missing(name, format!("is not in {variable}"), cure())),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(missing(name, format!("in {variable} is not text"), cure()))
        }
    }
}
