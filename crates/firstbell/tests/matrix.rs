//! Every engine at every login page that Kite has had, on good mornings and bad ones: what firstbell says, and what
//! arrived.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::Stdio;
use std::sync::Mutex;

use serde_json::json;
use support::engines::geckodriver;
use support::{Account, Home, Sim, seed};

/// An engine: its name here and to firstbell, and what the configuration says of it.
struct Engine {
    name: &'static str,
    driver: &'static str,
    config: String,
}

fn every_engine() -> Vec<Engine> {
    let one = |name, driver, config: &str| Engine { name, driver, config: config.to_owned() };
    let gecko = format!("[webdriver]\nbrowser = \"firefox\"\nprogram = \"{}\"\n", geckodriver().display());
    vec![
        one(
            "chrome (headless shell)",
            "chrome",
            "[browser]\nbinary = \"/usr/lib/chromium/chromium-headless-shell\"\n",
        ),
        one("chrome (full)", "chrome", "[browser]\nbinary = \"/usr/lib/chromium/chromium\"\n"),
        one("firefox", "firefox", ""),
        one("chromedriver", "webdriver", "[webdriver]\nbrowser = \"chrome\"\n"),
        one("geckodriver", "webdriver", &gecko),
        one("http", "http", ""),
    ]
}

const GENERATIONS: [&str; 4] = ["A", "B", "C", "D"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Morning {
    Success,
    WrongPassword,
    WrongCode,
    Slow,
    LateRender,
    /// The answer to the code is so late that a second submission would have its time.
    SelfSubmit,
    UnknownPage,
}

const MORNINGS: [Morning; 7] = [
    Morning::Success,
    Morning::WrongPassword,
    Morning::WrongCode,
    Morning::Slow,
    Morning::LateRender,
    Morning::SelfSubmit,
    Morning::UnknownPage,
];

/// Exit code, failure, submissions of a password and of codes that each must come to.
type Outcome = (i32, String, u64, u64);

fn want(generation: &str, morning: Morning) -> Outcome {
    let asks_for_totp = matches!(generation, "C" | "D");
    let (code, failure, passwords, codes) = match morning {
        Morning::WrongPassword => (3, "password-rejected", 1, 0),
        Morning::UnknownPage => (4, "unknown-page", 0, 0),
        _ if !asks_for_totp => (3, "other-factor", 1, 0),
        Morning::WrongCode => (3, "code-rejected", 1, 2),
        _ => (0, "none", 1, 1),
    };
    (code, failure.to_owned(), passwords, codes)
}

fn play(engine: &Engine, generation: &str, morning: Morning) -> (Outcome, String) {
    let sim = Sim::start_with(Account::new(), &["--page", generation]);
    let slow = |at: &str| json!({ "at": at, "do": "slow", "delay_ms": 1200 });
    match morning {
        Morning::Slow => {
            sim.post("/faults", &json!({ "fault": [slow("login-page"), slow("login"), slow("twofa")] }))
        }
        Morning::LateRender => {
            sim.fault(&json!({ "at": "login-page", "do": "late-rendering", "delay_ms": 1500 }))
        }
        Morning::SelfSubmit => sim.fault(&slow("twofa")),
        Morning::UnknownPage => sim.fault(&json!({ "at": "login-page", "do": "wrong-type" })),
        Morning::Success | Morning::WrongPassword | Morning::WrongCode => {}
    }
    let home = Home::bare(&sim);
    let sources =
        ["password", "totp_seed", "api_secret"].map(|name| format!("{name} = {{ env = \"MATRIX_{name}\" }}"));
    home.configure(&sim, &sources.join("\n"));
    let config = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), format!("{config}\n{}", engine.config)).unwrap();
    let password = if morning == Morning::WrongPassword {
        "not the password".into()
    } else {
        sim.account.password.clone()
    };
    let totp_seed = if morning == Morning::WrongCode { seed() } else { sim.account.totp_seed.clone() };
    let ended = home
        .command(&["login", "--driver", engine.driver, "--json"])
        .env("MATRIX_password", password)
        .env("MATRIX_totp_seed", totp_seed)
        .env("MATRIX_api_secret", &sim.account.api_secret)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let ended = support::ended(ended);
    let failure = ended.json()["failure"].as_str().unwrap_or("none").to_owned();
    ((ended.code, failure, sim.passwords(), sim.codes()), ended.stderr)
}

/// Plays all mornings of some engines, a few at a time: most of a login is waiting.
fn play_all(engines: &[Engine], at_once: usize) {
    let mut cells: Vec<_> = engines
        .iter()
        .flat_map(|engine| {
            GENERATIONS.map(|generation| MORNINGS.map(|morning| (engine, generation, morning)))
        })
        .flatten()
        .collect();
    // Those that wait for a time step begin first.
    cells.sort_by_key(|(_, _, morning)| *morning == Morning::WrongCode);
    let (cells, faults) = (Mutex::new(cells), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((engine, generation, morning)) = { cells.lock().unwrap().pop() } {
                    let (got, said) = play(engine, generation, morning);
                    let want = want(generation, morning);
                    if got != want {
                        let name = engine.name;
                        let fault = format!(
                            "{name}, page {generation}, {morning:?}: {got:?} is not {want:?}\n{said}"
                        );
                        faults.lock().unwrap().push(fault);
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_engine_at_every_page_on_every_morning() {
    play_all(&every_engine(), 6);
}
