//! One contract for each port, run by every member of its shelf.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/redis.rs"]
mod redis;
#[path = "contracts/sinks.rs"]
mod sinks;
mod support;
#[path = "support/vault.rs"]
mod vault;
#[path = "support/web.rs"]
mod web;

use firstbell::clock::MachineClock;
use firstbell::http::HyperHttp;
use firstbell::ports::{Driver, Engines, Reach, Store, TokenChange, Vault};
use firstbell::stores::{self, Place, Server};
use firstbell_core::broker::{App, Broker};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::{Cause, Fingerprint, Verdict};
use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{PageKind, Role, Step};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Fill, Seen, Sight};
use firstbell_core::state::State;
use firstbell_core::token::{Access, Flush, Life, Token};
use jiff::Timestamp;
use serde_json::json;
use support::engines::{self, Engine};
use support::{Sim, marker};

/// Opens the same store anew and hands it over.
type Opener<'a> = &'a dyn Fn(&mut dyn FnMut(&dyn Store, &dyn Vault));

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_404_600 + second).unwrap()
}

fn token(generation: u64) -> Token {
    let access = Access::parse(Secret::new(marker(32))).unwrap();
    Token {
        access,
        api_key: "key".into(),
        generation,
        life: Life::of(at(0), Flush { begins_h: 5, ends_h: 8 }),
    }
}

fn text(token: Option<Token>) -> Option<(u64, String)> {
    token.map(|t| (t.generation, t.access.secret().expose().to_owned()))
}

/// Every store: what was recorded is there for the next opener, in order, and tokens change only with their events.
fn store_contract(open: Opener<'_>) {
    let (first, second) = (token(1), token(2));
    open(&mut |store, _| {
        let events = [(at(1), Event::Began { driver: "x".into() }), (at(2), Event::Exchanging)];
        store.record("a", &events, TokenChange::Keep).unwrap();
        store.record("a", &[(at(3), Event::Issued { generation: 1 })], TokenChange::Pend(&first)).unwrap();
        assert!(store.current("a").unwrap().is_none(), "a pending token is not served");
        store.record("a", &[(at(4), Event::Proven { generation: 1 })], TokenChange::Promote).unwrap();
    });
    open(&mut |store, _| {
        assert_eq!(text(store.current("a").unwrap()), text(Some(first.clone())));
        assert_eq!(store.current("a").unwrap().unwrap().life, first.life);
        assert!(store.pending("a").unwrap().is_none() && store.current("b").unwrap().is_none());
        let history = store.history("a").unwrap();
        assert_eq!(history.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [at(1), at(2), at(3), at(4)]);
        // Dropping the pending one keeps the current one.
        store.record("a", &[], TokenChange::Pend(&second)).unwrap();
        store.record("a", &[(at(5), Event::Dropped { generation: 2 })], TokenChange::Drop).unwrap();
        assert_eq!(text(store.current("a").unwrap()), text(Some(first.clone())));
        // Promoting what is not there changes nothing, and writes nothing.
        let refused = store.record("a", &[(at(6), Event::Proven { generation: 2 })], TokenChange::Promote);
        assert!(matches!(refused, Err(Failure::Broken { .. })));
        assert_eq!(text(store.current("a").unwrap()), text(Some(first.clone())));
        assert_eq!(store.history("a").unwrap().len(), 5);
        assert!(store.history("b").unwrap().is_empty());
    });
}

/// Every store: the state is the fold of all that was recorded, pruned or not; a look finds it whole; whoever goes on
/// with it in order is not told that anything was restored.
fn history_contract(open: Opener<'_>) {
    let credential = Fingerprint("f".into());
    let story = |n: i64| {
        let intent =
            Event::Intent { cause: Cause::Code, credential: credential.clone(), time_step: Some(n as u64) };
        let judged = Event::Judged { cause: Cause::Code, verdict: Verdict::Accepted };
        [(at(n * 86_400), intent), (at(n * 86_400 + 1), judged)]
    };
    let mut all = Vec::new();
    open(&mut |store, _| {
        assert_eq!(store.state("a").unwrap(), State::default());
        assert_eq!(
            store.attest("a", at(0)).unwrap(),
            State::default(),
            "an empty history is no restored one"
        );
        assert!(store.verify("a").unwrap().flaw.is_none());
        for n in 0..500 {
            store.record("a", &story(n), TokenChange::Keep).unwrap();
            all.extend(story(n));
        }
    });
    let last = at(499 * 86_400 + 1);
    open(&mut |store, _| {
        assert_eq!(store.attest("a", last).unwrap(), State::of(&all));
        assert_eq!(store.history("a").unwrap(), all);
        let found = store.verify("a").unwrap();
        assert_eq!((found.events, found.pruned, found.from, found.until), (1000, 0, Some(at(0)), Some(last)));
        store.tidy(last).unwrap();
        // Within a day it has nothing to do.
        store.tidy(last + jiff::SignedDuration::from_hours(23)).unwrap();
    });
    open(&mut |store, _| {
        let kept = store.history("a").unwrap();
        assert!(all.ends_with(&kept) && kept.len() > 700 && kept.len() < 900, "{}", kept.len());
        assert_eq!(store.attest("a", last).unwrap(), State::of(&all));
        let found = store.verify("a").unwrap();
        assert_eq!((found.events + found.pruned, found.flaw), (1000, None));
        assert!(store.history("b").unwrap().is_empty() && store.verify("b").unwrap().events == 0);
    });
}

/// Every vault: the newest secret of a name, of its own account, and nothing after it was forgotten.
fn vault_contract(open: Opener<'_>) {
    let fetch =
        |vault: &dyn Vault, account, name| vault.fetch(account, name).unwrap().map(|s| s.expose().to_owned());
    open(&mut |_, vault| {
        vault.keep("a", "password", &Secret::new("old".into())).unwrap();
        vault.keep("a", "password", &Secret::new("né\u{0}w \n".into())).unwrap();
        vault.keep("b", "password", &Secret::new("other".into())).unwrap();
    });
    open(&mut |_, vault| {
        assert_eq!(fetch(vault, "a", "password").as_deref(), Some("né\u{0}w \n"));
        assert_eq!(fetch(vault, "b", "password").as_deref(), Some("other"));
        assert_eq!(fetch(vault, "a", "totp_seed"), None);
        assert!(vault.forget("a", "password").unwrap() && !vault.forget("a", "password").unwrap());
        assert_eq!(fetch(vault, "a", "password"), None);
        assert_eq!(fetch(vault, "b", "password").as_deref(), Some("other"));
    });
}

#[test]
fn sqlite_keeps_the_store_s_and_the_vault_s_contract() {
    for contract in [store_contract, history_contract, vault_contract] {
        let folder = tempfile::tempdir().unwrap();
        contract(&|with| {
            let opened = stores::open(&folder.path().join("state")).unwrap();
            with(opened.store(), opened.vault());
        });
    }
}

#[test]
fn postgres_keeps_the_store_s_and_the_vault_s_contract() {
    let server = postgres::Postgres::start();
    for contract in [store_contract, history_contract, vault_contract] {
        let (folder, url) = (tempfile::tempdir().unwrap(), server.database(None));
        contract(&|with| {
            let server = Server { url: Secret::new(url.clone()), authority: None, lease_ms: 30_000 };
            let place = Place { server: Some(server), ..Place::of(&folder.path().join("state")) };
            let opened = place.open().unwrap();
            let _turn = opened.turns().try_take("a").unwrap().expect("the one before was given back");
            with(opened.store(), opened.vault());
        });
    }
}

#[test]
fn a_stored_token_cannot_be_given_a_longer_life_or_another_account() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let opened = stores::open(&state).unwrap();
    opened.store().record("a", &[], TokenChange::Pend(&token(1))).unwrap();
    for (change, account) in [("dead_from_ms = dead_from_ms + 86400000", "a"), ("account = 'b'", "b")] {
        let db = rusqlite::Connection::open(state.join("store.db")).unwrap();
        db.execute(&format!("UPDATE token SET {change}"), []).unwrap();
        assert!(opened.store().pending(account).is_err(), "{change}");
    }
}

#[test]
fn a_history_with_a_hole_or_an_event_that_cannot_be_read_is_refused() {
    for edit in
        ["DELETE FROM event WHERE seq = 1", "UPDATE event SET body = '{}'", "UPDATE event SET version = 2"]
    {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let opened = stores::open(&state).unwrap();
        let events = [(at(1), Event::Exchanging), (at(2), Event::Unlocked)];
        opened.store().record("a", &events, TokenChange::Keep).unwrap();
        rusqlite::Connection::open(state.join("store.db")).unwrap().execute(edit, []).unwrap();
        assert!(opened.store().history("a").is_err(), "{edit}");
    }
}

/// The next page that the plan knows, with the answer that came on the way.
async fn page(driver: &mut dyn Driver, kite: &Kite, mut action: Action, kind: PageKind) -> Sight {
    let (mut answer, mut date) = (None, None);
    loop {
        match driver.perform(action).await.unwrap() {
            Seen::Page(mut sight) => {
                (answer, date) = (sight.answer.take().or(answer), sight.date.or(date));
                if kite.plan().recognise(&sight.counts).is_some_and(|p| p.kind == kind) {
                    return Sight { answer, date, ..sight };
                }
            }
            other => panic!("{other:?}"),
        }
        action = Action::Look { wait_ms: 20_000 };
    }
}

fn fill(kite: &Kite, step: Step, texts: &[(Role, &str)]) -> Action {
    let entry = kite.plan().pages.iter().filter_map(|p| p.entry.as_ref()).find(|e| e.step == step).unwrap();
    let fields = entry.fields.iter().map(|f| {
        let text = texts.iter().find(|(role, _)| *role == f.role).unwrap().1;
        (f.role, f.mark, Secret::new(text.into()))
    });
    let cause = if step == Step::Code { Cause::Code } else { Cause::Password };
    let (fields, submit) = (fields.collect(), entry.submit);
    Action::Fill(Fill { step, fields, submit, cause, time_step: None, wait_ms: 20_000 })
}

/// Every driver: shows the pages by the plan's marks, lets one submission leave for each fill, says what the broker
/// answered, and stops before the redirect address.
async fn driver_contract(engine: Engine) {
    let sim = Sim::start();
    let origin = |text: &str| Origin::parse(text).unwrap();
    let kite = Kite::rehearsal(origin(&sim.site), origin(&sim.api)).unwrap();
    let account = &sim.account;
    let app = App {
        api_key: account.api_key.clone(),
        user_id: account.user_id.clone(),
        redirect: sim.redirect.parse().unwrap(),
    };
    let (config, http) = (engines::config(engine), HyperHttp::unconnected());
    let clock = MachineClock::start();
    let reach = Reach { http: &http, clock: &clock };
    let mut driver = config.open(config.names()[0], kite.plan(), &app, reach).await.unwrap();
    let open = Action::Open { url: kite.entry(&app), wait_ms: 20_000 };
    page(driver.as_mut(), &kite, open, PageKind::Credentials).await;
    assert_eq!(sim.passwords(), 0, "opening submits nothing");

    let typed = [(Role::UserId, account.user_id.as_str()), (Role::Password, account.password.as_str())];
    let sight = page(driver.as_mut(), &kite, fill(&kite, Step::Credentials, &typed), PageKind::Totp).await;
    let answer = sight.answer.unwrap();
    assert!(answer.good && answer.after == Step::Credentials && sight.date.is_some(), "{answer:?}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 0));

    // A wrong code leaves the page as it is.
    let wrong = fill(&kite, Step::Code, &[(Role::Code, "000000")]);
    let sight = page(driver.as_mut(), &kite, wrong, PageKind::Totp).await;
    let refused = match sight.answer {
        Some(answer) => answer,
        None => page(driver.as_mut(), &kite, Action::Look { wait_ms: 20_000 }, PageKind::Totp)
            .await
            .answer
            .unwrap(),
    };
    assert_eq!(
        (refused.status, refused.error.as_deref(), refused.good),
        (403, Some("TwoFAException"), false)
    );
    assert_eq!(sim.codes(), 1);

    // As the walk does: a page takes in a refusal before it takes another code.
    while !matches!(driver.perform(Action::Look { wait_ms: 1_000 }).await.unwrap(), Seen::Unchanged) {}

    let seed = firstbell_core::totp::Seed::parse(&Secret::new(account.totp_seed.clone())).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
    let code = seed.code(Timestamp::now());
    let mut action = fill(&kite, Step::Code, &[(Role::Code, code.digits.expose())]);
    let url = loop {
        match driver.perform(action).await.unwrap() {
            Seen::Away(url) => break url,
            Seen::Page(_) => action = Action::Look { wait_ms: 20_000 },
            other => panic!("{other:?}"),
        }
    };
    assert!(kite.capture(&app, &url).is_ok(), "the way back has a grant");
    driver.close().await.unwrap();
    assert_eq!((sim.passwords(), sim.codes()), (1, 2), "{}", sim.seen());
}

#[tokio::test]
async fn chrome_keeps_the_driver_s_contract() {
    driver_contract(engines::CHROME).await;
}

#[tokio::test]
async fn firefox_keeps_the_driver_s_contract() {
    driver_contract(engines::FIREFOX).await;
}

#[tokio::test]
async fn chrome_behind_chromedriver_keeps_the_driver_s_contract() {
    driver_contract(engines::CHROMEDRIVER).await;
}

#[tokio::test]
async fn firefox_behind_geckodriver_keeps_the_driver_s_contract() {
    driver_contract(engines::GECKODRIVER).await;
}

#[tokio::test]
async fn http_keeps_the_driver_s_contract() {
    driver_contract(engines::HTTP).await;
}

#[tokio::test]
async fn a_driver_lets_one_submission_leave_whatever_the_page_tries() {
    let sim = Sim::start();
    sim.fault(&json!({ "at": "login", "do": "status", "status": 503 }));
    let origin = |text: &str| Origin::parse(text).unwrap();
    let kite = Kite::rehearsal(origin(&sim.site), origin(&sim.api)).unwrap();
    let app = App {
        api_key: sim.account.api_key.clone(),
        user_id: sim.account.user_id.clone(),
        redirect: sim.redirect.parse().unwrap(),
    };
    for engine in engines::BROWSERS.into_iter().chain([engines::HTTP]) {
        let before = sim.passwords();
        let (config, http) = (engines::config(engine), HyperHttp::unconnected());
        let clock = MachineClock::start();
        let reach = Reach { http: &http, clock: &clock };
        let mut driver = config.open(config.names()[0], kite.plan(), &app, reach).await.unwrap();
        let open = Action::Open { url: kite.entry(&app), wait_ms: 20_000 };
        page(driver.as_mut(), &kite, open, PageKind::Credentials).await;
        let typed = [(Role::UserId, "AB1234"), (Role::Password, "x")];
        let mut action = fill(&kite, Step::Credentials, &typed);
        loop {
            match driver.perform(action).await.unwrap() {
                Seen::Page(sight) if sight.answer.is_some() => break,
                Seen::Page(_) => action = Action::Look { wait_ms: 20_000 },
                other => panic!("{other:?}"),
            }
        }
        driver.close().await.unwrap();
        assert_eq!(sim.passwords(), before + 1, "{engine:?}");
    }
}
