//! Codes from a program, such as a password manager: started at the last moment, with little around it and little time.

use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::digits;
use crate::ports::{CodeSource, Soon};
use crate::program;

/// A program that asks its owner to unlock something takes a while; a code lives for 30 seconds.
const TIME: Duration = Duration::from_secs(25);

pub(super) struct Program<'a> {
    pub(super) words: &'a [String],
}

impl CodeSource for Program<'_> {
    fn code(&self) -> Soon<'_, Result<Secret, Failure>> {
        Box::pin(self.ask())
    }

    fn is_person(&self) -> bool {
        false
    }
}

impl Program<'_> {
    async fn ask(&self) -> Result<Secret, Failure> {
        let name = self.words.first().expect("checked when it was read");
        let program = program::Program {
            words: self.words,
            with: &[],
            input: &[],
            time: TIME,
            output_max: digits::BYTES_MAX,
        };
        let bytes = program
            .run()
            .await
            .map_err(|why| digits::failed(format!("{name} {why}"), "See that it runs by hand."))?;
        digits::read(&bytes, name)
    }
}
