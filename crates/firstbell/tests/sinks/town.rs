//! A home whose account has a sink of every kind, and the servers behind them: each can be broken and mended.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use firstbell::clock::MachineClock;
use firstbell::ports::{Clock, TokenChange};
use firstbell::stores;
use firstbell_core::event::Event;
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use jiff::SignedDuration;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::daemon::{self, Daemon};
use crate::postgres::{self, Postgres};
use crate::receiver::Receiver;
use crate::redis::Redis;
use crate::support::{Home, Sim, marker};
use crate::vault::Vault;
use crate::web::{Mode, Web};

/// The kinds, by the names that the sinks have here.
pub(crate) const ALL: [&str; 7] = ["file", "redis", "postgres", "http", "vault", "kubernetes", "hook"];

/// What is wrong with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Killed,
    Paused,
    Full,
}

pub(crate) struct Town {
    pub(crate) sim: Sim,
    pub(crate) home: Home,
    pub(crate) redis: Redis,
    pub(crate) postgres: Postgres,
    pub(crate) url: String,
    pub(crate) receiver: Receiver,
    pub(crate) vault: Vault,
    pub(crate) cluster: Cluster,
    /// Held by somebody who writes the file and does not come to an end.
    lock: Option<File>,
    mounted: bool,
}

impl Drop for Town {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.folder()).status();
        }
    }
}

const SCRIPT: &str = "#!/bin/sh
while [ -e paused ]; do sleep 0.05; done
[ -e full ] && exit 1
cat > kept.new && mv kept.new kept
";

const NO_PLACE: &str = "CREATE FUNCTION no_place() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no place for %', NEW
    USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON firstbell_token FOR EACH ROW EXECUTE FUNCTION no_place()";

impl Town {
    pub(crate) fn start() -> Town {
        let sim = Sim::start();
        sim.settings(&json!({ "totp_reuse": true }));
        let (home, postgres) = (Home::new(&sim), Postgres::start());
        let url = postgres.database(None);
        let (redis, receiver, vault, cluster) =
            (Redis::start(), Receiver::start(), Vault::start(), Cluster::start());
        let mut town =
            Town { sim, home, redis, postgres, url, receiver, vault, cluster, lock: None, mounted: false };
        fs::create_dir(town.folder()).unwrap();
        if geteuid().is_root() {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(town.folder());
            town.mounted = mount.status().unwrap().success();
            assert!(town.mounted, "root cannot mount a small disk here");
        }
        fs::create_dir(town.at("hook")).unwrap();
        let program = town.at("hook").join("program");
        let script = SCRIPT.replace("while", &format!("cd {}\nwhile", town.at("hook").display()));
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let file = town.at("url");
        fs::write(&file, &town.url).unwrap();
        crate::support::private(&file);
        daemon::configure_due(&town.home, &town.sim, &town.sinks(), "");
        town
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.dir.path().join(name)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.at("sink")
    }

    /// All tables.
    fn sinks(&self) -> String {
        let dir = self.home.dir.path();
        let of = |name: &str, lines: &str| {
            format!("[[account.main.sink]]\nname = \"{name}\"\nretry_s = 1\n{lines}\n")
        };
        [
            of(
                "file",
                &format!("kind = \"file\"\nformat = \"json\"\npath = \"{}/token\"", self.folder().display()),
            ),
            of("redis", &self.redis.sink()),
            of(
                "postgres",
                &format!("kind = \"postgres\"\nurl = {{ file = \"{}\" }}", dir.join("url").display()),
            ),
            of("http", &self.receiver.sink(dir)),
            of("vault", &self.vault.sink(dir)),
            of("kubernetes", &self.cluster.sink(dir)),
            of("hook", &format!("kind = \"hook\"\ncommand = [\"{}/hook/program\"]", dir.display())),
        ]
        .concat()
    }

    /// The card that a place holds, as whoever reads there finds it.
    pub(crate) fn card(&self, name: &str) -> Option<Value> {
        let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        match name {
            "file" => json(fs::read_to_string(self.folder().join("token")).ok()),
            "redis" => json(self.redis.text("firstbell:main")),
            "postgres" => {
                postgres::text(&self.url, "SELECT to_regclass('firstbell_token')::text")?;
                json(postgres::text(&self.url, "SELECT row_to_json(t)::text FROM firstbell_token t"))
            }
            "http" => self.receiver.last(),
            "vault" => self.vault.data("algo/main"),
            "kubernetes" => {
                let of = |key| self.cluster.value("kite-token", key);
                Some(
                    json!({ "generation": of("generation")?.parse::<u64>().ok(), "access_token": of("access_token") }),
                )
            }
            _ => json(fs::read_to_string(self.at("hook/kept")).ok()),
        }
    }

    pub(crate) fn until_has(&self, name: &str, generation: u64, daemon: &Daemon) {
        daemon::until(&format!("{name} has generation {generation}"), || {
            let card = self.card(name);
            let has = card.as_ref().and_then(|card| card["generation"].as_u64());
            // The token itself is nobody's business, not even a test's.
            if has == Some(generation) {
                Ok(())
            } else {
                Err(format!("{has:?}\n{}{}", daemon.log(), daemon.errors()))
            }
        });
    }

    /// Another token that was proven just now, as a login writes it. A real one needs another code, and half a minute.
    pub(crate) fn next(&self, daemon: &Daemon) -> u64 {
        let stores = stores::open(&self.home.state()).unwrap();
        let (user, store) = (&self.sim.account.user_id, stores.store());
        let generation = store.current(user).unwrap().unwrap().generation + 1;
        let now = MachineClock::start().now();
        let over = now + SignedDuration::from_hours(12);
        let life = Life { issued: now, trusted_until: over, suspect_from: over, dead_from: over };
        let access = Access::parse(Secret::new(marker(32))).unwrap();
        let token = Token { access, api_key: self.sim.account.api_key.clone(), generation, life };
        store.record(user, &[(now, Event::Issued { generation })], TokenChange::Pend(&token)).unwrap();
        store.record(user, &[(now, Event::Proven { generation })], TokenChange::Promote).unwrap();
        assert_eq!(daemon.ask("POST", "/v1/accounts/main/look").0, 200);
        generation
    }

    /// The sinks that `firstbell status` names.
    pub(crate) fn named(&self) -> Vec<String> {
        let status = self.home.run(&["status"]);
        assert_eq!(status.code, 0, "{status:?}");
        let lines = status.stdout.lines().filter_map(|line| line.strip_prefix("  sink       "));
        lines.map(|line| line.split([' ', ',']).next().unwrap().to_owned()).collect()
    }

    fn web(&mut self, name: &str) -> &mut Web {
        match name {
            "http" => &mut self.receiver.web,
            "vault" => &mut self.vault.web,
            _ => &mut self.cluster.web,
        }
    }

    pub(crate) fn break_it(&mut self, name: &str, how: How) {
        let hook = self.at("hook");
        match (name, how) {
            ("file", How::Killed) => {
                // Whoever mounted it takes it away.
                if self.mounted {
                    fs::remove_file(self.folder().join("token")).unwrap();
                    umount(&self.folder());
                }
                let _gone = fs::remove_dir_all(self.folder());
            }
            ("file", How::Paused) => {
                let beside = File::create(self.folder().join(".token.firstbell")).unwrap();
                flock(beside.as_fd(), FlockOperation::LockExclusive).unwrap();
                self.lock = Some(beside);
            }
            ("file", How::Full) if self.mounted => {
                let mut filler = File::create(self.folder().join("filler")).unwrap();
                while filler.write_all(&[7; 512]).is_ok() {}
            }
            // Nobody mounts a small disk for this user: a folder that takes nothing is as good.
            ("file", How::Full) => {
                fs::set_permissions(self.folder(), fs::Permissions::from_mode(0o500)).unwrap();
            }
            ("redis", How::Killed) => self.redis.kill(),
            ("redis", How::Paused) => self.redis.signal(Signal::STOP),
            ("redis", How::Full) => drop(self.redis.say(&["CONFIG", "SET", "maxmemory", "1"])),
            ("postgres", How::Killed) => self.postgres.stop(),
            ("postgres", How::Paused) => signal(self.postgres.id(), Signal::STOP),
            ("postgres", How::Full) => postgres::execute(&self.url, NO_PLACE),
            ("hook", How::Killed) => fs::rename(hook.join("program"), hook.join("away")).unwrap(),
            ("hook", How::Paused) => fs::write(hook.join("paused"), "").unwrap(),
            ("hook", How::Full) => fs::write(hook.join("full"), "").unwrap(),
            (name, How::Killed) => self.web(name).kill(),
            (name, How::Paused) => self.web(name).set(Mode::Hangs),
            (name, How::Full) => self.web(name).set(Mode::Full),
        }
    }

    pub(crate) fn mend(&mut self, name: &str, how: How) {
        let hook = self.at("hook");
        match (name, how) {
            ("file", How::Killed) => fs::create_dir(self.folder()).unwrap(),
            ("file", How::Paused) => self.lock = None,
            ("file", How::Full) if self.mounted => fs::remove_file(self.folder().join("filler")).unwrap(),
            ("file", How::Full) => {
                fs::set_permissions(self.folder(), fs::Permissions::from_mode(0o700)).unwrap();
            }
            ("redis", How::Killed) => self.redis.again(),
            ("redis", How::Paused) => self.redis.signal(Signal::CONT),
            ("redis", How::Full) => drop(self.redis.say(&["CONFIG", "SET", "maxmemory", "0"])),
            ("postgres", How::Killed) => self.postgres.again(),
            ("postgres", How::Paused) => signal(self.postgres.id(), Signal::CONT),
            ("postgres", How::Full) => postgres::execute(&self.url, "DROP FUNCTION no_place CASCADE"),
            ("hook", How::Killed) => fs::rename(hook.join("away"), hook.join("program")).unwrap(),
            ("hook", How::Paused) => fs::remove_file(hook.join("paused")).unwrap(),
            ("hook", How::Full) => fs::remove_file(hook.join("full")).unwrap(),
            (name, How::Killed) => self.web(name).again(),
            (name, How::Paused | How::Full) => self.web(name).set(Mode::Well),
        }
        if (name, how) == ("file", How::Killed) {
            self.mounted = false;
        }
    }
}

fn umount(folder: &Path) {
    assert!(Command::new("umount").arg("-l").arg(folder).status().unwrap().success());
}

fn signal(id: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}
