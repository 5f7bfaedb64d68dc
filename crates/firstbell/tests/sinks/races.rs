//! Who else writes where a sink does, who hears of a token, and whom an encrypted connection trusts.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use serde_json::json;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::certificate::certificate;
use crate::cluster::Cluster;
use crate::daemon::Daemon;
use crate::desk::{Desk, play, sink, token};
use crate::postgres::{self, Postgres};
use crate::receiver::Receiver;
use crate::redis::{PASSWORD, Redis};
use crate::support::ended;
use crate::town::{ALL, Town};
use crate::vault::Vault;

#[test]
fn whoever_writes_between_our_look_and_our_word_is_seen() {
    let (folder, desk) = (tempfile::tempdir().unwrap(), Desk::new());
    let (vault, cluster) = (Vault::start(), Cluster::start());
    let (to_vault, to_cluster) = (sink(&vault.sink(folder.path())), sink(&cluster.sink(folder.path())));
    let (first, second) = (token(1, 30), token(2, 20));
    play(async {
        for sink in [&to_vault, &to_cluster] {
            desk.deliver(sink, &first).await.unwrap();
        }
        // Another node brings the third one while we bring the second.
        let third =
            json!({ "generation": 3, "issued": "2999-01-01T08:00:00+05:30", "access_token": "theirs" });
        *vault.first.lock().unwrap() = Some(third);
        let lost = desk.deliver(&to_vault, &second).await.unwrap_err().to_string();
        assert!(lost.contains("somebody else"), "{lost}");
        desk.deliver(&to_vault, &second).await.unwrap();
        assert_eq!(vault.data("algo/a").unwrap()["access_token"], "theirs");
        *cluster.first.lock().unwrap() = Some(("note".into(), "theirs".into()));
        let lost = desk.deliver(&to_cluster, &second).await.unwrap_err().to_string();
        assert!(lost.contains("HTTP 409"), "{lost}");
        desk.deliver(&to_cluster, &second).await.unwrap();
        assert_eq!(cluster.value("kite-token", "generation").unwrap(), "2");
        assert_eq!(cluster.value("kite-token", "note").unwrap(), "theirs", "what is not ours stays");
        // Somebody took it away: the next version is written over the hole.
        vault.delete("algo/a");
        desk.deliver(&to_vault, &second).await.unwrap();
        assert_eq!(vault.data("algo/a").unwrap()["generation"], 2);
        vault.allow(&["read", "update"]);
        let lacks = desk.check(&to_vault).await.unwrap_err();
        assert!(lacks.cure().contains("read, create and update on secret/data/algo/a"), "{lacks:?}");
    });
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    let (folder, desk) = (tempfile::tempdir().unwrap(), Desk::new());
    let [chain, key] = certificate(folder.path(), "IP:127.0.0.1");
    let vault = Vault::encrypted([&chain, &key]);
    let cluster = Cluster::encrypted([&chain, &key]);
    let trusting = format!("authority = \"{}\"\n", chain.display());
    play(async {
        for lines in [vault.sink(folder.path()), cluster.sink(folder.path())] {
            let refused = desk.deliver(&sink(&lines), &token(1, 0)).await.unwrap_err();
            assert!(refused.cure().contains("authority = "), "{refused:?}");
            let good = sink(&format!("{lines}{trusting}"));
            desk.check(&good).await.unwrap();
            desk.deliver(&good, &token(1, 0)).await.unwrap();
        }
    });
    assert!(vault.data("algo/a").is_some() && cluster.value("kite-token", "access_token").is_some());
}

#[test]
fn redis_is_spoken_to_over_tls_where_its_name_is_proven() {
    let (folder, desk) = (tempfile::tempdir().unwrap(), Desk::new());
    let [chain, key] = certificate(folder.path(), "DNS:localhost");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::encrypted(port, [&chain, &key]);
    let socket = format!("socket = \"{}\"", redis.socket().display());
    let lines =
        |host: &str| redis.sink().replace(&socket, &format!("address = \"{host}:{port}\"\ntls = true"));
    let trusting = format!("authority = \"{}\"\n", chain.display());
    play(async {
        // Its authority is nobody's; its name is another.
        for lines in [lines("localhost"), format!("{}{trusting}", lines("127.0.0.1"))] {
            let refused = desk.deliver(&sink(&lines), &token(1, 0)).await.unwrap_err();
            assert!(refused.to_string().contains("encrypted connection is not good"), "{refused:?}");
        }
        assert_eq!(redis.text("firstbell:a"), None);
        let good = sink(&format!("{}{trusting}", lines("localhost")));
        desk.check(&good).await.unwrap();
        desk.deliver(&good, &token(1, 0)).await.unwrap();
    });
    assert!(redis.text("firstbell:a").is_some());
}

#[test]
fn an_endpoint_is_probed_where_its_owner_says_so() {
    let (folder, desk, mut receiver) = (tempfile::tempdir().unwrap(), Desk::new(), Receiver::start());
    let silent = sink(&receiver.sink(folder.path()));
    let probed = sink(&format!("{}probe = true\n", receiver.sink(folder.path())));
    play(desk.check(&silent)).unwrap();
    assert!(receiver.taken().is_empty());
    play(desk.check(&probed)).unwrap();
    assert_eq!(receiver.taken(), [json!({ "version": 1, "probe": true, "account": "a" })]);
    // With another key it is none of ours.
    std::fs::write(folder.path().join("receiver.key"), "another").unwrap();
    let refused = play(desk.check(&probed)).unwrap_err();
    assert!(refused.to_string().contains("HTTP 401"), "{refused}");
    receiver.web.kill();
    assert!(play(desk.check(&silent)).is_err());
}

#[test]
fn whoever_subscribed_to_redis_hears_the_generation_and_not_the_token() {
    let (redis, desk) = (Redis::start(), Desk::new());
    let (mut cli, to_redis) = (Command::new("redis-cli"), sink(&redis.sink()));
    cli.arg("-s").arg(redis.socket()).args(["SUBSCRIBE", "firstbell:a"]).env("REDISCLI_AUTH", PASSWORD);
    let mut cli = cli.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(cli.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(
        [lines.next(), lines.next(), lines.next()].map(Option::unwrap),
        ["subscribe", "firstbell:a", "1"]
    );
    let (first, second) = (token(7, 10), token(8, 0));
    play(async {
        // What is there already, and what is older, is told nobody.
        for token in [&first, &first, &second, &first] {
            desk.deliver(&to_redis, token).await.unwrap();
        }
    });
    let mut heard = || [lines.next(), lines.next(), lines.next()].map(Option::unwrap);
    assert_eq!(heard(), ["message", "firstbell:a", "7"]);
    assert_eq!(heard(), ["message", "firstbell:a", "8"]);
    redis.say(&["PUBLISH", "firstbell:a", "last"]);
    assert_eq!(heard(), ["message", "firstbell:a", "last"]);
    cli.kill().unwrap();
    cli.wait().unwrap();
}

#[test]
fn whoever_listens_to_the_database_hears_the_generation_and_not_the_token() {
    let (server, folder, desk) = (Postgres::start(), tempfile::tempdir().unwrap(), Desk::new());
    let (url, file) = (server.database(None), folder.path().join("url"));
    std::fs::write(&file, &url).unwrap();
    crate::support::private(&file);
    let to_table = sink(&format!("kind = \"postgres\"\nurl = {{ file = \"{}\" }}\n", file.display()));
    let (first, second) = (token(7, 10), token(8, 0));
    let lines = format!("kind = \"postgres\"\nurl = {{ file = \"{}\" }}\ncreate = false\n", file.display());
    let refused = play(desk.check(&sink(&lines))).unwrap_err();
    assert!(refused.to_string().contains("has no table firstbell_token"), "{refused}");
    let heard = play(async {
        let (client, mut wire) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let mut messages = Box::pin(poll_fn(move |cx| wire.poll_message(cx)));
        let mut heard = Vec::new();
        let work = async {
            client.batch_execute("LISTEN firstbell").await.unwrap();
            for token in [&first, &first, &second, &first] {
                desk.deliver(&to_table, token).await.unwrap();
            }
            // Behind all others.
            postgres::execute(&url, "NOTIFY firstbell, 'last'");
        };
        let hear = async {
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(told) = message {
                    heard.push(told.payload().to_owned());
                    if told.payload() == "last" {
                        return;
                    }
                }
            }
        };
        tokio::join!(work, hear);
        heard
    });
    let told = |generation: u64| json!({ "account": "a", "generation": generation }).to_string();
    assert_eq!(heard, [told(7), told(8), "last".to_owned()]);
}

/// Two logins in two time steps: half a minute.
#[test]
fn a_login_by_hand_beside_a_daemon_brings_each_token_once_and_never_an_older_one() {
    let town = Town::start();
    let daemon = Daemon::start(&town.home);
    ALL.iter().for_each(|name| town.until_has(name, 1, &daemon));
    let login = ended(town.home.command(&["login", "--driver", "http", "--json"]).output().unwrap());
    assert_eq!(login.code, 0, "{login:?}");
    assert_eq!(login.json()["generation"], 2);
    for name in ALL {
        assert_eq!(town.card(name).unwrap()["generation"], 2, "{name}: it is there when the login ends");
    }
    daemon.until_account("main", "the couriers brought it too", |account| {
        let sinks = account["sinks"].as_array().unwrap();
        sinks.len() == ALL.len() && sinks.iter().all(|s| s["generation"] == 2 && s["fault"].is_null())
    });
    assert_eq!((town.vault.versions("algo/main"), town.receiver.taken().len()), (2, 2));
    for name in ALL {
        assert_eq!(town.card(name).unwrap()["generation"], 2, "{name}");
    }
}
