//! Where the six digits come from when firstbell does not make them itself: the shelf of code sources.

mod command;
mod digits;
mod endpoint;
mod prompt;

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use url::Url;

use crate::ports::{CodeSource, Http};
use crate::written::Section;

/// Where the codes of an account come from.
#[derive(Clone, Debug, Default)]
pub enum CodeConfig {
    /// From the TOTP key, made here.
    #[default]
    Seed,
    /// From the first output line of a program.
    Command(Vec<String>),
    /// From an address; it may carry a secret of its own.
    Url(Secret),
    /// From whoever sits at the terminal.
    Prompt,
}

impl CodeConfig {
    /// Reads `totp = { command = […] }`, `{ url = "…" }` or `{ prompt = true }`.
    pub fn read(account: &mut Section<'_>) -> CodeConfig {
        let Some(mut table) = account.section("totp") else { return CodeConfig::Seed };
        let word = |text: &str| match text.contains('\0') {
            true => Err("cannot hold a zero byte".to_owned()),
            false => Ok(text.to_owned()),
        };
        let words = table.texts("command", word);
        let command = table.asked("command").then_some(CodeConfig::Command(words.unwrap_or_default()));
        if let Some(CodeConfig::Command(words)) = &command
            && words.first().is_none_or(String::is_empty)
        {
            table.fault("command needs a program: [\"pass\", \"otp\", \"kite\"]; no shell reads it");
        }
        let url = table.parsed("url", read_url).map(CodeConfig::Url);
        let prompt = table.flag("prompt").filter(|yes| *yes).map(|_| CodeConfig::Prompt);
        let mut given: Vec<_> = [command, url, prompt].into_iter().flatten().collect();
        if given.len() != 1 {
            table.fault("needs exactly one of command = [\"PROGRAM\", …], url = \"…\", prompt = true");
        }
        table.end(&["command", "url", "prompt"]);
        given.pop().unwrap_or_default()
    }

    /// The source, for one login; none where codes are made here.
    pub fn open<'a>(&'a self, http: &'a dyn Http) -> Option<Box<dyn CodeSource + 'a>> {
        match self {
            CodeConfig::Seed => None,
            CodeConfig::Command(words) => Some(Box::new(command::Program { words })),
            CodeConfig::Url(url) => Some(Box::new(endpoint::Endpoint { url, http })),
            CodeConfig::Prompt => Some(Box::new(prompt::Terminal)),
        }
    }

    /// Tells one source from another: attempts are counted for each.
    pub fn canonical(&self) -> Secret {
        match self {
            CodeConfig::Seed | CodeConfig::Prompt => Secret::new(format!("{self:?}")),
            CodeConfig::Command(words) => Secret::new(format!("command {words:?}")),
            CodeConfig::Url(url) => url.clone(),
        }
    }
}

fn read_url(text: &str) -> Result<Secret, String> {
    let url = Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
    match Origin::of(&url) {
        Some(_) => Ok(Secret::new(url.into())),
        None => Err("must be https, or http on a loopback address: whoever reads the code can log in".into()),
    }
}
