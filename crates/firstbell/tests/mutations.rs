//! Two hundred faces of the login page: each ends in a token or with a human, and no secret is ever in a wrong field.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/mutant.rs"]
mod mutant;
mod support;

use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use mutant::{Heard, Mutant, Mutation};
use serde_json::json;
use support::{Ended, Home, Sim};

/// Faces that are tried.
const FACES: u64 = 210;
/// Logins at a time: most of a login is waiting.
const AT_ONCE: usize = 5;

/// Logs in through one face with a browser, in a home of its own.
fn login(sim: &Sim, mutation: &Mutation) -> (Ended, Heard) {
    let mutant = Mutant::before(&sim.site, mutation);
    let home = Home::bare(sim);
    let sources = ["password", "totp_seed", "api_secret"]
        .map(|name| format!("{name} = {{ env = \"MUTANT_{}\" }}", name.to_uppercase()));
    home.configure(sim, &sources.join("\n"));
    let text = std::fs::read_to_string(home.config()).unwrap();
    let site = format!("site = \"{}\"", sim.site);
    std::fs::write(home.config(), text.replace(&site, &format!("site = \"{}\"", mutant.site))).unwrap();
    let mut command = home.command(&["login", "--driver", "chrome", "--json"]);
    let account = &sim.account;
    let ended = command
        .env("MUTANT_PASSWORD", &account.password)
        .env("MUTANT_TOTP_SEED", &account.totp_seed)
        .env("MUTANT_API_SECRET", &account.api_secret)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let heard = std::mem::take(&mut *mutant.heard.lock().unwrap());
    (support::ended(ended), heard)
}

/// What is wrong with how it went, if something is.
fn fault(sim: &Sim, ended: &Ended, heard: &Heard, mutation: &Mutation) -> Option<String> {
    for (field, value) in &heard.fields {
        let fits = match field.as_str() {
            "user" => sim.account.user_id.starts_with(value.as_str()),
            "password" => sim.account.password.starts_with(value.as_str()),
            "code" => value.len() <= 6 && value.bytes().all(|b| b.is_ascii_digit()),
            _ => value.is_empty(),
        };
        if !fits {
            return Some(format!("a {field} field held {} characters that are not its own", value.len()));
        }
    }
    if heard.passwords > 1 || heard.codes > 1 {
        return Some("something was submitted twice".into());
    }
    let report = ended.json();
    let known =
        ["unknown-page", "captcha", "other-factor"].contains(&report["failure"].as_str().unwrap_or("none"));
    if ended.code != 0 && !known {
        return Some("it ended in neither a token nor a human".into());
    }
    if report["ms"].as_u64().is_none_or(|ms| ms > 60_000) {
        return Some("it went on past its deadline".into());
    }
    (ended.code == 0 && !mutation.is_harmless()).then(|| "it logged in where nobody can be sure".into())
}

#[test]
fn two_hundred_faces_of_the_page() {
    let sim = Sim::start();
    sim.settings(&json!({ "totp_reuse": true, "second_session": "keep_both" }));
    let next = AtomicU64::new(0);
    let (faults, good, harmless) = (Mutex::new(Vec::new()), AtomicU64::new(0), AtomicU64::new(0));
    let stuck = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= FACES {
                        return;
                    }
                    let mutation = Mutation::of(number);
                    let (ended, heard) = login(&sim, &mutation);
                    if let Some(fault) = fault(&sim, &ended, &heard, &mutation) {
                        faults.lock().unwrap().push(format!("{mutation:?}: {fault}: {ended:?}"));
                    }
                    if mutation.is_harmless() {
                        harmless.fetch_add(1, Ordering::Relaxed);
                        good.fetch_add(u64::from(ended.code == 0), Ordering::Relaxed);
                        if ended.code != 0 {
                            let why = ended.json()["message"].clone();
                            stuck
                                .lock()
                                .unwrap()
                                .push(format!("{:?} {}: {why}", mutation.does, mutation.generation));
                        }
                    }
                }
            });
        }
    });
    let (good, harmless) = (good.into_inner(), harmless.into_inner());
    let stuck = stuck.into_inner().unwrap();
    eprintln!(
        "{FACES} faces; of {harmless} harmless ones {good} logged in; the others:\n  {}",
        stuck.join("\n  ")
    );
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(good * 10 >= harmless * 9, "{good} of {harmless}");
}
