//! The coming mornings in fourteen zones of the host, around the turns of day, month, year and leap day: always India's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// From one end of the world's day to the other, with halves and quarters of hours, and with clocks that are put forward
/// by one hour, by half of one, or by two.
const ZONES: [&str; 14] = [
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Europe/London",
    "UTC",
    "America/St_Johns",
    "America/Caracas",
    "America/New_York",
    "Pacific/Pago_Pago",
];

/// A moment in India, the same moment elsewhere, and the day of the next login.
const TURNS: [(&str, &str, &str); 10] = [
    ("2026-11-25T23:59:59", "2026-11-25T18:29:59Z", "2026-11-26"),
    ("2026-11-26T00:00", "2026-11-25T18:30:00Z", "2026-11-26"),
    ("2026-11-30T23:59:59", "2026-11-30T13:29:59-05:00", "2026-12-01"),
    ("2026-12-01T00:00", "2026-11-30T13:30:00-05:00", "2026-12-01"),
    ("2026-12-31T23:59:59", "2027-01-01T08:29:59+14:00", "2027-01-01"),
    ("2027-01-01", "2027-01-01T08:30:00+14:00", "2027-01-01"),
    ("2028-02-28T23:59:59", "2028-02-28T07:29:59-11:00", "2028-02-29"),
    ("2028-02-29", "2028-02-28T07:30:00-11:00", "2028-02-29"),
    ("2028-02-29T23:59:59", "2028-03-01T00:14:59+05:45", "2028-03-01"),
    ("2028-03-01T00:00", "2028-03-01T00:15:00+05:45", "2028-03-01"),
];

fn coming(home: &Path, zone: &str, at: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_firstbell"))
        .env_clear()
        .env("HOME", home)
        .env("TZ", zone)
        .args(["next", "-n", "4", "--json", "--at", at])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{zone}, {at}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn configure(home: &Path) {
    let folder = home.join(".config/firstbell");
    std::fs::create_dir_all(&folder).unwrap();
    let account = |name: &str, user: &str, more: &str| {
        format!(
            "[account.{name}]\nuser_id = \"{user}\"\napi_key = \"kitekey123\"\n\
             redirect_url = \"http://127.0.0.1:5000/back\"\n{more}\n"
        )
    };
    let text = account("main", "AB1234", "") + &account("gold", "CD5678", "exchanges = [\"mcx\"]");
    std::fs::write(folder.join("config.toml"), text).unwrap();
}

#[test]
fn the_mornings_are_the_same_whatever_the_zone_of_the_host() {
    let home = tempfile::tempdir().unwrap();
    configure(home.path());
    for (local, elsewhere, first) in TURNS {
        let want = coming(home.path(), "Asia/Kolkata", local);
        let accounts = want["accounts"].as_array().unwrap();
        assert_eq!(accounts.len(), 2);
        for account in accounts {
            let morning = &account["mornings"][0];
            assert_eq!(morning["date"], first, "{local}: {account}");
            let login_at = morning["login_at"].as_str().unwrap();
            let begins = format!("{first}T08:30:");
            assert!(login_at.starts_with(&begins) && login_at.ends_with("+05:30"), "{local}: {login_at}");
        }
        for zone in ZONES {
            assert_eq!(coming(home.path(), zone, local), want, "{zone}, {local}");
            assert_eq!(coming(home.path(), zone, elsewhere), want, "{zone}, {elsewhere}");
        }
    }
}
