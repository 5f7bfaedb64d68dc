//! What a paired person may say to a bot, and what he is told. There is no other command: whoever holds the phone can look and
//! stop, and nothing else.

use jiff::Timestamp;

use crate::shape::india;

/// The longest text that is looked at for a command.
const BYTES_MAX: usize = 200;

/// What a chat may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// How the accounts stand.
    Status,
    /// The coming mornings.
    Next,
    /// No logins: of one account, or of all.
    Pause(Option<String>),
}

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'t> {
    Command(Command),
    Help,
    /// An address that a login may have ended at.
    Address(&'t str),
    Unknown,
}

/// The link of a login, for the one person who reads the chat.
pub fn link(link: &str, until: Timestamp) -> String {
    format!(
        "Log in here before {}, with one tap, and pass the link to nobody:\n{link}\n\nThen copy the whole address from the \
         browser's address bar and send it here; that the page there does not load is no fault.",
        india(until)
    )
}

pub(super) const HELP: &str = "/status: how the accounts stand\n/next: the coming mornings\n/pause ACCOUNT: no logins of this \
    account, or of all where none is named\n\nA login is resumed on the host only: firstbell resume. Where a login waits for you, \
    paste the whole address at which it ended.";

pub(super) const PAIRED: &str = "This chat is paired with firstbell.";

pub(super) const REPLACED: &str =
    "firstbell obeys another chat from now on: somebody on its host paired one in the place of this one.";

pub(super) const HINT: &str = "Not known here. /help shows what is.";

pub(super) const NOBODY: &str = "No login is waiting. The address was dropped.";

pub(super) const LATE: &str = "What you sent was more than two minutes old when firstbell read it (or a clock is wrong), and was \
    dropped. Send it again if you still mean it.";

/// Reads a text. A command is the text's first word; a bot's own name may stand behind it.
pub(super) fn meaning(text: &str) -> Meaning<'_> {
    let text = text.trim();
    let address = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    if let Some(address) = text.split_whitespace().find(address) {
        return Meaning::Address(address);
    }
    if text.len() > BYTES_MAX {
        return Meaning::Unknown;
    }
    let mut words = text.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let verb = verb.split_once('@').map_or(verb, |(verb, _bot)| verb).to_ascii_lowercase();
    match (verb.as_str(), words.next(), words.next()) {
        ("/status", None, None) => Meaning::Command(Command::Status),
        ("/next", None, None) => Meaning::Command(Command::Next),
        ("/pause", account, None) => Meaning::Command(Command::Pause(account.map(str::to_owned))),
        ("/help" | "/start", _, None) => Meaning::Help,
        _ => Meaning::Unknown,
    }
}

impl Command {
    /// As it is typed, without what a person wrote behind it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Status => "/status",
            Command::Next => "/next",
            Command::Pause(_) => "/pause",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_commands_are_read_and_nothing_else_is_one() {
        let pause = |account: Option<&str>| Meaning::Command(Command::Pause(account.map(str::to_owned)));
        assert_eq!(meaning(" /Status\n"), Meaning::Command(Command::Status));
        assert_eq!(meaning("/next@my_bot"), Meaning::Command(Command::Next));
        assert_eq!(meaning("/pause"), pause(None));
        assert_eq!(meaning("/pause main"), pause(Some("main")));
        for help in ["/help", "/start", "/start ABCD-EFGH-JKLM"] {
            assert_eq!(meaning(help), Meaning::Help);
        }
        let long = format!("/pause {}", "x".repeat(5_000));
        for unknown in [
            "",
            "/",
            "status",
            "pause",
            "/resume",
            "/unlock",
            "/login",
            "/token",
            "/pause a b",
            "/pausé",
            "／pause",
            "/status now",
            "please /pause",
            "/\u{202e}esuap",
            "\0/pause",
            &long,
        ] {
            assert_eq!(meaning(unknown), Meaning::Unknown, "{unknown}");
        }
    }

    #[test]
    fn an_address_is_found_among_other_words() {
        let address = "http://127.0.0.1:5000/back?request_token=x&status=success";
        for text in [address.to_owned(), format!("Kite {address}"), format!("/pause\n{address} ")] {
            assert_eq!(meaning(&text), Meaning::Address(address));
        }
        assert_eq!(meaning("httpx://a"), Meaning::Unknown);
    }
}
