//! A machine on which another user has filled the memory disk that everybody shares: it delays no login, and where nothing else has
//! room either, nothing is typed and the reason is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::{Command, Stdio};

use support::engines;
use support::{Ended, Home, Sim, ended};

/// Lays small memory disks over the places where browsers have their folder, fills those that are named, and becomes the command.
const CRAMP: &str = r#"
    for place in /dev/shm /tmp; do mount -t tmpfs -o size=64m,mode=1777 none $place || exit 98; done
    for place in $FILLED; do head -c 64m /dev/zero >$place/somebody-else-s; done
    unset FILLED
    exec "$@"
"#;

/// Logs in by an engine while these places are full.
fn login(filled: &str, lines: &str) -> (Sim, Ended) {
    let (sim, place) = (Sim::start(), tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let home = Home { dir: place };
    home.configure(&sim, "");
    home.store_secrets(&sim.account);
    home.prepend(lines);
    let inner = home.command(&["login", "--json"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", CRAMP, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("FILLED", filled).env_remove("XDG_RUNTIME_DIR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = ended(command.output().unwrap());
    assert_ne!(ended.code, 98, "no small disk could be mounted: run these tests as root: {ended:?}");
    (sim, ended)
}

#[test]
fn a_shared_memory_disk_that_others_filled_stops_no_login() {
    for engine in [engines::CHROME, engines::CHROMEDRIVER] {
        let (sim, ended) = login("/dev/shm", &engines::lines(engine));
        assert_eq!((ended.code, sim.passwords(), sim.codes()), (0, 1, 1), "{engine:?}: {ended:?}");
    }
}

#[test]
fn where_no_place_has_room_nothing_is_typed_and_the_places_are_named() {
    for engine in [engines::CHROME, engines::GECKODRIVER] {
        let (sim, ended) = login("/dev/shm /tmp", &engines::lines(engine));
        assert_eq!((ended.code, sim.passwords()), (7, 0), "{engine:?}: {ended:?}");
        for word in ["16 MB", "/dev/shm: it is full", "/tmp: it is full", "df -h", "--driver http"] {
            assert!(
                ended.stderr.contains(word) || ended.stdout.contains(word),
                "{engine:?}: no {word}: {ended:?}"
            );
        }
    }
}
