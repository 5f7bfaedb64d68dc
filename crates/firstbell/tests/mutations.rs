//! Two hundred faces of the login page, for every further browser enough of them to meet each mutation, and some behind a second
//! server of the same browser: each ends in a token or with a human, and no secret is ever in a wrong field.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/mutant.rs"]
mod mutant;
mod support;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mutant::{HARMFUL, HARMLESS, Heard, Mutant, Mutation};
use serde_json::json;
use support::engines::{self, Engine};
use support::{Ended, Home, Sim};

/// Faces that are tried.
const FACES: u64 = 210;
/// Logins at a time: most of a login is waiting.
const AT_ONCE: usize = 3;

/// Logs in through one face with an engine, in a home of its own.
fn login(engine: Engine, sim: &Sim, mutation: &Mutation) -> (Ended, Heard) {
    let mutant = Mutant::before(&sim.site, mutation);
    let home = Home::bare(sim);
    let sources = ["password", "totp_seed", "api_secret"]
        .map(|name| format!("{name} = {{ env = \"MUTANT_{}\" }}", name.to_uppercase()));
    home.configure(sim, &sources.join("\n"));
    let text = std::fs::read_to_string(home.config()).unwrap();
    let site = format!("site = \"{}\"", sim.site);
    std::fs::write(home.config(), text.replace(&site, &format!("site = \"{}\"", mutant.site))).unwrap();
    home.prepend(&engines::lines(engine));
    let mut command = home.command(&["login", "--json"]);
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

/// The faces that every further engine meets: of all, in their order, each that has something in it which none before had.
fn each_mutation_once() -> Vec<u64> {
    let mut met = BTreeSet::new();
    let is_news = |number: &u64| {
        let mutation = Mutation::of(*number);
        let before = met.len();
        met.extend(mutation.does.iter().copied().chain([mutation.generation]));
        met.len() > before
    };
    let chosen: Vec<u64> = (0..FACES).filter(is_news).collect();
    let all: BTreeSet<&str> = HARMLESS.into_iter().chain(HARMFUL).chain(["C", "D"]).collect();
    assert_eq!(met, all);
    chosen
}

#[test]
fn two_hundred_faces_of_the_page() {
    eprintln!("{}", meet(engines::CHROME, &(0..FACES).collect::<Vec<_>>()));
}

#[test]
fn every_mutation_in_firefox() {
    eprintln!("{}", meet(engines::FIREFOX, &each_mutation_once()));
}

#[test]
fn every_mutation_behind_chromedriver() {
    eprintln!("{}", meet(engines::CHROMEDRIVER, &each_mutation_once()));
}

/// The browser and its protocol are those of the test above; what differs is who starts it.
#[test]
fn every_third_of_them_behind_geckodriver() {
    let faces: Vec<u64> = each_mutation_once().into_iter().step_by(3).collect();
    eprintln!("{}", meet(engines::GECKODRIVER, &faces));
}

/// What came of all faces.
#[derive(Default)]
struct Met {
    faults: Vec<String>,
    harmless: usize,
    good: usize,
    stuck: Vec<String>,
}

/// Logs in through these faces, and says how many of the harmless ones let it.
fn meet(engine: Engine, faces: &[u64]) -> String {
    let sim = Sim::start();
    sim.settings(&json!({ "totp_reuse": true, "second_session": "keep_both" }));
    let (next, met) = (AtomicUsize::new(0), Mutex::new(Met::default()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(number) = faces.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mutation = Mutation::of(*number);
                    let (ended, heard) = login(engine, &sim, &mutation);
                    met.lock().unwrap().add(&sim, &ended, &heard, &mutation);
                }
            });
        }
    });
    let Met { faults, harmless, good, stuck } = met.into_inner().unwrap();
    let (count, stuck) = (faces.len(), stuck.join("\n  "));
    let report = format!(
        "{engine:?}, {count} faces; of {harmless} harmless ones {good} logged in; the others:\n  {stuck}"
    );
    assert!(faults.is_empty(), "{engine:?}: {} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(good * 10 >= harmless * 9, "{report}");
    report
}

impl Met {
    fn add(&mut self, sim: &Sim, ended: &Ended, heard: &Heard, mutation: &Mutation) {
        if let Some(fault) = fault(sim, ended, heard, mutation) {
            self.faults.push(format!("{mutation:?}: {fault}: {ended:?}"));
        }
        if mutation.is_harmless() {
            self.harmless += 1;
            self.good += usize::from(ended.code == 0);
            if ended.code != 0 {
                let why = ended.json()["message"].clone();
                self.stuck.push(format!("{:?} {}: {why}", mutation.does, mutation.generation));
            }
        }
    }
}
