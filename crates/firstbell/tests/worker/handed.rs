//! What a keeper hands over, to a worker of the test's own that asks for more than it may have.

use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::peer::{self, Peer};
use crate::stranger::as_stranger;
use crate::support::{self, Ended, Home, Sim};

/// How a worker behaves once the login page is seen, or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Play {
    AsksWithoutFill,
    AsksForThePasswordFirst,
    AsksTwice,
    AsksForTheCodeToo,
    SpeaksNonsense,
    SpeaksWithoutEnd,
    AnswersOfTheFuture,
    SaysDone,
    SeesAnotherOrigin,
    Leaves,
    NeverAnswers,
}

/// A worker that plays; gives everything that it was told.
fn worker(listener: UnixListener, origin: String, play: Play) -> JoinHandle<Vec<Value>> {
    std::thread::spawn(move || {
        let mut peer = Peer::new(listener.accept().unwrap().0);
        while let Some(asked) = peer.hear() {
            let number = asked["number"].clone();
            let report = |report: Value| peer::report(&number, &report);
            let want = |field: u64| report(json!({ "want": { "field": field } }));
            let order = &asked["order"];
            if order.get("begin").is_some() {
                peer.say(&report(json!({ "done": { "open_port": null } })));
            } else if order["perform"].get("open").is_some() {
                match play {
                    Play::AsksWithoutFill => drop(peer.say(&want(0))),
                    Play::SeesAnotherOrigin => {
                        peer.say(&report(peer::login_page("https://kite.zerodha.com.evil.example")));
                    }
                    Play::NeverAnswers => {}
                    _ => drop(peer.say(&report(peer::login_page(&origin)))),
                }
            } else if order["perform"].get("fill").is_some() {
                match play {
                    Play::AsksForThePasswordFirst => drop(peer.say(&want(1))),
                    Play::AsksTwice => drop(peer.ask(&want(0)).and_then(|_| peer.ask(&want(0)))),
                    Play::AsksForTheCodeToo => {
                        let password = peer.ask(&want(0)).and_then(|_| peer.ask(&want(1)));
                        drop(password.and_then(|_| peer.ask(&want(2))));
                    }
                    Play::SpeaksNonsense => drop(peer.raw(b"\x02\0\0\0{]")),
                    Play::SpeaksWithoutEnd => drop(peer.raw(b"\xff\xff\xff\xff")),
                    Play::AnswersOfTheFuture => {
                        peer.say(&peer::report(&json!(99), &json!({ "want": { "field": 1 } })));
                    }
                    Play::SaysDone => drop(peer.say(&report(json!({ "done": { "open_port": null } })))),
                    Play::Leaves => break,
                    _ => {}
                }
            }
        }
        peer.heard
    })
}

struct Played {
    ended: Ended,
    /// The texts that were handed over.
    texts: Vec<String>,
    /// The texts of the whole conversation.
    all: String,
    sim: Sim,
    tries: (Value, Value),
}

fn play(play: Play) -> Played {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let socket = home.dir.path().join("worker");
    let plan = home.dir.path().join("plan.toml");
    let text = firstbell_core::brokers::kite::Kite::plan_text().replace("open_s = 30", "open_s = 1");
    std::fs::write(&plan, text).unwrap();
    home.prepend(&format!(
        "driver = \"chrome\"\nplan = '{}'\n[browser]\nworker = '{}'\n",
        plan.display(),
        socket.display()
    ));
    let told = worker(UnixListener::bind(&socket).unwrap(), sim.site.clone(), play);
    let ended = home.run(&["login", "--json"]);
    let told = told.join().unwrap();
    let texts = told.iter().filter_map(|asked| asked["order"]["type"].as_str().map(str::to_owned)).collect();
    let left = home.status()["tries_left"].clone();
    let tries = (left["password"].clone(), left["code"].clone());
    Played { ended, texts, all: json!(told).to_string(), sim, tries }
}

/// Refused before anything was handed over, as an engine that broke: nothing was spent.
fn is_refused_with_nothing(how: Play, failure: &str) {
    let played = play(how);
    assert_eq!(played.ended.json()["failure"], failure, "{how:?}: {:?}", played.ended);
    assert_eq!(played.texts, Vec::<String>::new(), "{how:?}");
    assert!(!played.all.contains(&played.sim.account.password), "{how:?}");
    assert_eq!(played.tries, (json!(2), json!(2)), "{how:?}");
    assert_eq!(played.sim.passwords(), 0, "{how:?}");
}

#[test]
fn whoever_asks_for_what_is_not_his_turn_is_given_nothing() {
    is_refused_with_nothing(Play::AsksWithoutFill, "broken");
    is_refused_with_nothing(Play::AsksForThePasswordFirst, "broken");
    is_refused_with_nothing(Play::AnswersOfTheFuture, "broken");
    is_refused_with_nothing(Play::SaysDone, "broken");
}

#[test]
fn whoever_speaks_nonsense_or_leaves_is_given_nothing() {
    is_refused_with_nothing(Play::SpeaksNonsense, "broken");
    is_refused_with_nothing(Play::SpeaksWithoutEnd, "broken");
    is_refused_with_nothing(Play::Leaves, "broken");
}

#[test]
fn whoever_sees_another_origin_is_given_nothing_to_type_there() {
    is_refused_with_nothing(Play::SeesAnotherOrigin, "wrong-origin");
}

#[test]
fn whoever_never_answers_is_not_waited_for_without_end() {
    is_refused_with_nothing(Play::NeverAnswers, "broken");
}

/// What was handed over may have left, whoever it was handed to: it counts as an attempt without an answer.
#[test]
fn whoever_asks_twice_or_for_the_code_has_what_he_was_due_and_nothing_more() {
    let twice = play(Play::AsksTwice);
    assert_eq!(twice.texts, std::slice::from_ref(&twice.sim.account.user_id));
    assert!(!twice.all.contains(&twice.sim.account.password));
    let code = play(Play::AsksForTheCodeToo);
    assert_eq!(code.texts, [code.sim.account.user_id.clone(), code.sim.account.password.clone()]);
    for played in [twice, code] {
        assert_eq!(played.ended.json()["failure"], "unanswered", "{:?}", played.ended);
        assert_eq!(played.tries, (json!(1), json!(2)));
        for secret in [&played.sim.account.totp_seed, &played.sim.account.api_secret] {
            assert!(!played.all.contains(secret.as_str()));
        }
    }
}

#[test]
fn a_socket_of_somebody_else_gets_no_password() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let folder = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
    let socket = folder.path().join("worker");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let listener = as_stranger(|| UnixListener::bind(&socket).unwrap()).expect("the tests run as root");
    home.prepend(&format!("driver = \"chrome\"\n[browser]\nworker = '{}'\n", socket.display()));
    let ended = home.run(&["login"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.stderr.contains("it belongs to the user 1, who gets no password"), "{ended:?}");
    let mut peer = Peer::new(listener.accept().unwrap().0);
    assert_eq!(peer.hear(), None);
}

#[test]
fn a_socket_is_a_whole_path_and_one_that_is_not_there_is_told_with_what_starts_it() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    for worker in ["worker = 'run/worker'", "worker = '/nowhere/worker'"] {
        home.configure(&sim, "");
        home.prepend(&format!("driver = \"chrome\"\n[browser]\n{worker}\n"));
        let ended = home.run(&["login"]);
        let (code, says) = match worker.contains("nowhere") {
            true => (7, "systemctl enable --now firstbell-browser.socket"),
            false => (2, "worker must be a whole path"),
        };
        assert!(ended.code == code && ended.stderr.contains(says), "{worker}: {ended:?}");
    }
    let ended =
        support::ended(home.command(&["login"]).env("FIRSTBELL_WORKER", "run/worker").output().unwrap());
    assert!(
        ended.code == 2 && ended.stderr.contains("FIRSTBELL_WORKER must be an absolute path"),
        "{ended:?}"
    );
}
