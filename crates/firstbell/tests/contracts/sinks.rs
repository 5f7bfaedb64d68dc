//! The contract of sinks, run by every kind on the shelf: against real servers where there are any, else against faithful ones.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use firstbell::sinks::SinkConfig;
use firstbell_core::failure::Failure;
use firstbell_core::token::Token;

use crate::cluster::Cluster;
use crate::desk::{Desk, sink, token};
use crate::postgres;
use crate::receiver::Receiver;
use crate::redis::Redis;
use crate::vault::Vault;
use crate::web::Mode;

/// One kind, and what the world sees of it.
struct Case<'a> {
    sink: SinkConfig,
    read: &'a dyn Fn() -> Option<String>,
    break_it: &'a dyn Fn(),
    /// Whether a look finds it broken then.
    is_seen: bool,
    /// Whether the place tells which token it holds.
    tells: bool,
}

/// Every sink: check leaves no trace, a delivery is whole and may be made again, a newer token is never replaced by an older one
/// where the place tells which it holds, and a failed delivery keeps what was there.
async fn contract(case: &Case<'_>) {
    let (desk, Case { sink, read, .. }) = (Desk::new(), case);
    let (first, second, third) = (token(1, 20), token(2, 10), token(3, 0));
    let has = |token: &Token| read().unwrap().contains(token.access.secret().expose());
    desk.check(sink).await.unwrap();
    assert_eq!(read(), None, "a check is no delivery");
    desk.deliver(sink, &first).await.unwrap();
    assert!(has(&first), "{:?}", read());
    desk.check(sink).await.unwrap();
    assert!(has(&first), "a check keeps what was there");
    desk.deliver(sink, &first).await.unwrap();
    desk.deliver(sink, &second).await.unwrap();
    assert!(has(&second) && !has(&first));
    if case.tells {
        desk.deliver(sink, &first).await.unwrap();
        assert!(has(&second), "an older one took the newer one's place");
    }
    (case.break_it)();
    let outcomes = [desk.deliver(sink, &third).await, desk.check(sink).await];
    assert!(outcomes[1].is_err() == case.is_seen, "{outcomes:?}");
    assert!(outcomes[0].is_err());
    for failure in outcomes.into_iter().filter_map(Result::err) {
        let said = format!("{failure} {} {failure:?}", failure.cure());
        assert!(matches!(failure, Failure::Broken { .. }) && !failure.cure().is_empty());
        assert!(said.contains(&sink.name), "{said}");
        for secret in [third.access.secret().expose(), postgres::PASSWORD, crate::redis::PASSWORD] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    assert!(has(&second), "a failed delivery keeps what was there");
}

fn play(case: &Case<'_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(contract(case));
}

#[test]
fn a_file_keeps_the_contract_in_every_form() {
    let forms = [
        ("format = \"plain\"", false),
        ("format = \"json\"", true),
        ("format = \"env\"", false),
        ("format = \"toml\"", true),
        ("format = \"header\"\nmode = \"0400\"", false),
        ("template = \"{api_key}:{access_token}\"", false),
    ];
    for (form, tells) in forms {
        let folder = tempfile::tempdir().unwrap();
        let (path, beside) = (folder.path().join("token"), folder.path().join(".token.firstbell"));
        let text = format!("kind = \"file\"\npath = \"{}\"\n{form}", path.display());
        let case = Case {
            sink: sink(&text),
            read: &|| fs::read_to_string(&path).ok(),
            // A folder in the place of the file beside: no user, root included, can write through it.
            break_it: &|| fs::create_dir(&beside).unwrap(),
            is_seen: true,
            tells,
        };
        play(&case);
        fs::remove_dir(&beside).unwrap();
        std::os::unix::fs::symlink("/dev/null", &beside).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let looked = runtime.block_on(Desk::new().check(&case.sink));
        assert!(looked.is_err(), "a link in its place is not followed");
    }
}

#[test]
fn redis_keeps_the_contract() {
    let redis = Redis::start();
    let case = Case {
        sink: sink(&redis.sink()),
        read: &|| redis.text("firstbell:a"),
        break_it: &|| drop(redis.say(&["CONFIG", "SET", "maxmemory", "1"])),
        is_seen: true,
        tells: true,
    };
    play(&case);
    let seconds: i64 = redis.say(&["TTL", "firstbell:a"]).parse().unwrap();
    assert!((1..=12 * 3600).contains(&seconds), "it is gone when the token is dead: {seconds}");
    assert_eq!(redis.say(&["EXISTS", "firstbell:a:probe"]), "0");
}

#[test]
fn a_postgres_table_keeps_the_contract() {
    let server = postgres::Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let (url, file) = (server.database(None), folder.path().join("url"));
    fs::write(&file, &url).unwrap();
    crate::support::private(&file);
    let full = "CREATE FUNCTION no_place() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no place for %', NEW
        USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON algo.kite FOR EACH ROW EXECUTE FUNCTION no_place()";
    postgres::execute(&url, "CREATE SCHEMA algo");
    let case = Case {
        sink: sink(&format!(
            "kind = \"postgres\"\nurl = {{ file = \"{}\" }}\ntable = \"algo.kite\"",
            file.display()
        )),
        read: &|| match postgres::text(&url, "SELECT to_regclass('algo.kite')::text") {
            None => None,
            Some(_) => postgres::text(&url, "SELECT access_token FROM algo.kite WHERE account = 'a'"),
        },
        break_it: &|| postgres::execute(&url, full),
        is_seen: true,
        tells: true,
    };
    play(&case);
    let row = "SELECT concat_ws(' ', user_id, api_key, generation, trusted_until > issued) FROM algo.kite";
    assert_eq!(postgres::text(&url, row).unwrap(), "AB1234 key 2 t");
}

#[test]
fn vault_keeps_the_contract() {
    let (vault, folder) = (Vault::start(), tempfile::tempdir().unwrap());
    let case = Case {
        sink: sink(&vault.sink(folder.path())),
        read: &|| vault.data("algo/a").map(|data| data.to_string()),
        break_it: &|| vault.web.set(Mode::Full),
        is_seen: false,
        tells: true,
    };
    play(&case);
    assert_eq!(vault.versions("algo/a"), 2, "the same token makes no other version");
}

#[test]
fn kubernetes_keeps_the_contract() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let case = Case {
        sink: sink(&cluster.sink(folder.path())),
        read: &|| cluster.value("kite-token", "access_token"),
        break_it: &|| cluster.web.set(Mode::Full),
        is_seen: true,
        tells: true,
    };
    play(&case);
    assert_eq!(cluster.value("kite-token", "generation").unwrap(), "2");
    assert_eq!(cluster.value("kite-token", "user_id").unwrap(), "AB1234");
}

#[test]
fn an_endpoint_keeps_the_contract() {
    let (receiver, folder) = (Receiver::start(), tempfile::tempdir().unwrap());
    let case = Case {
        sink: sink(&receiver.sink(folder.path())),
        read: &|| receiver.last().map(|card| card.to_string()),
        break_it: &|| receiver.web.set(Mode::Full),
        is_seen: false,
        tells: false,
    };
    play(&case);
    let taken: Vec<_> = receiver.taken().iter().map(|card| card["generation"].as_u64().unwrap()).collect();
    assert_eq!(taken, [1, 2], "the same token has the same id");
}

#[test]
fn a_hook_keeps_the_contract() {
    for form in ["stdin", "fd"] {
        let folder = tempfile::tempdir().unwrap();
        let (program, kept) = (folder.path().join("hook"), folder.path().join("kept"));
        let input = if form == "fd" { "<&$FIRSTBELL_FD" } else { "" };
        let script = format!("#!/bin/sh\ncat {input} > {}\n", kept.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let reads = RefCell::new(0);
        let case = Case {
            sink: sink(&format!("kind = \"hook\"\ncommand = [\"{}\"]\nform = \"{form}\"", program.display())),
            read: &|| {
                *reads.borrow_mut() += 1;
                fs::read_to_string(&kept).ok()
            },
            // Anybody may change it now.
            break_it: &|| fs::set_permissions(&program, fs::Permissions::from_mode(0o777)).unwrap(),
            is_seen: true,
            tells: false,
        };
        play(&case);
        assert!(*reads.borrow() > 4);
    }
}
