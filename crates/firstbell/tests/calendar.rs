//! The calendar beside the simulator's own, which was gathered apart from it; and lists of the owner's, good and bad.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use firstbell::config::{self, Config, Environment};
use firstbell_core::calendar::{Calendar, Closed, Day, Exchange};
use jiff::Span;
use jiff::civil::{Date, Weekday, date};

fn days_of(year: i16) -> impl Iterator<Item = Date> {
    date(year, 1, 1).series(Span::new().days(1)).take_while(move |day| day.year() == year)
}

/// The dates in a part of the simulator's source, where they stand as `(month, day)` below their year, or as
/// `date(year, month, day)`.
fn dates(source: &str) -> BTreeSet<Date> {
    let numbers = source.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<i16>().ok());
    let mut year = 0;
    let mut month = None;
    let mut found = BTreeSet::new();
    for number in numbers {
        match (number, month.take()) {
            (2000.., None) => year = number,
            (_, None) => month = Some(i8::try_from(number).unwrap()),
            (_, Some(month)) => assert!(found.insert(date(year, month, i8::try_from(number).unwrap()))),
        }
    }
    found
}

#[test]
fn the_simulator_keeps_the_same_days() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kitesim/src/market/hours.rs");
    let source = fs::read_to_string(place).unwrap();
    let part = |from: &str| {
        let after = source.split_once(from).unwrap().1.split_once("= [").unwrap().1;
        dates(after.split_once("\n];").map_or(after, |(part, _)| part).split("];").next().unwrap())
    };
    let (holidays, sessions) = (part("const HOLIDAYS"), part("const SESSIONS"));
    assert_eq!((holidays.len(), sessions.len()), (17 + 14 + 16, 3));
    for day in (2024..=2026).flat_map(days_of) {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        for exchange in Exchange::USUAL {
            let ours = Calendar::compiled().day(exchange, day);
            assert_ne!(ours, Day::Unknown, "{day}");
            if !weekend {
                // Muhurat trading on a holiday is a session for us; the simulator keeps that day closed.
                assert_eq!(holidays.contains(&day), ours != Day::Trades, "{day} at {exchange}: {ours:?}");
            }
            let whole = matches!(ours, Day::Session { closes: Some(at), .. } if at.hour() == 15);
            assert_eq!(sessions.contains(&day), whole, "{day} at {exchange}: {ours:?}");
        }
    }
}

fn load(folder: &Path, calendar: &str, account: &str) -> Result<Config, Vec<String>> {
    let text = format!(
        "calendar = {calendar}\n[account.main]\nuser_id = \"AB1234\"\napi_key = \"kitekey123\"\n\
         redirect_url = \"http://127.0.0.1:5000/back\"\n{account}\n"
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    config::load(&path, &Environment::new()).map_err(|faults| faults.0)
}

fn list(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn lists_of_the_owner_are_laid_over_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let head = "form = 1\nexchange = \"mcx\"\nyear = 2027\nsources = [\"MCX\"]\n";
    let day = |name: &str| {
        format!("{head}[[day]]\ndate = \"2027-01-26\"\nname = \"{name}\"\nkind = \"closed\"\n").into_bytes()
    };
    let first = list(folder.path(), "first.toml", &day("first"));
    let second = list(folder.path(), "second.toml", &day("second"));
    let config =
        load(folder.path(), &format!("[{first:?}, {second:?}]"), "exchanges = [\"mcx\", \"nse\", \"mcx\"]");
    let config = config.unwrap();
    assert_eq!(config.accounts[0].exchanges, [Exchange::Nse, Exchange::Mcx]);
    let laid = config.calendar.day(Exchange::Mcx, date(2027, 1, 26));
    assert_eq!(laid, Day::Closed { why: Closed::Holiday("second"), sure: true });
    assert!(config.calendar.knows(Exchange::Mcx, 2027) && config.calendar.knows(Exchange::Nse, 2026));
}

#[test]
fn what_is_no_list_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let wrong = list(at, "wrong.toml", b"form = 1\nexchange = \"lse\"\nyear = 26\nsources = []\n");
    let latin = list(at, "latin.toml", b"form = 1 # \xe9\n");
    let large = list(at, "large.toml", &b"# all comment\n".repeat(20_000));
    let gone = at.join("gone.toml");
    let refused = |path: &Path, want: &[&str]| {
        let faults = load(at, &format!("[{path:?}]"), "").err().unwrap();
        assert_eq!(faults.len(), 1, "{faults:?}");
        for part in want {
            assert!(faults[0].contains(part), "{part} is not in {}", faults[0]);
        }
        assert!(faults[0].starts_with(&format!("{}:1: calendar ", at.join("config.toml").display())));
        assert!(faults[0].contains(path.to_str().unwrap()) || !path.is_absolute());
    };
    refused(
        &wrong,
        &["wrong.toml:2: exchange is not", "wrong.toml:3: year must", "wrong.toml:4: sources is empty"],
    );
    refused(&latin, &["valid UTF-8"]);
    refused(&large, &["not a plain file of at most 256 KiB"]);
    refused(at, &["not a plain file of at most 256 KiB"]);
    refused(&gone, &["No such file"]);
    refused(Path::new("here.toml"), &["must be an absolute path"]);
    let several = load(at, &format!("[{wrong:?}, {gone:?}]"), "exchanges = [\"nyse\"]").err().unwrap();
    assert_eq!(several.len(), 3, "both files and the exchange: {several:#?}");
    assert!(load(at, "[]", "exchanges = []").err().unwrap()[0].contains("exchanges names none"));
    assert!(load(at, "\"x\"", "").err().unwrap()[0].contains("must be a list of texts"));
}
