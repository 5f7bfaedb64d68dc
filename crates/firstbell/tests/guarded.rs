//! What keeps a token from being lost or given away in silence: a disk that is full, and keepers that do not answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/serving.rs"]
mod serving;
mod support;

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use daemon::now;
use serving::Serving;

const CARD: &str = "/v1/accounts/main/token";

/// A small file system of its own. Gone with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Disk {
        let folder = tempfile::Builder::new().prefix("fb-disk-").tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(mounted.unwrap().success(), "only root can mount a small disk: run these tests as root");
        Disk(folder)
    }

    /// Fills what is left of it.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("somebody-else-s")).unwrap();
        while file.write_all(&[b'x'; 4_096]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_others_fill_takes_no_token_away_and_where_no_line_fits_none_is_given() {
    let disk = Disk::new();
    let serving = Serving::start_in(disk.0.path(), &["main"]);
    serving.post(1);
    let log = disk.0.path().join("audit.log");
    let mut client = serving.unix();
    // The first read opens the log and keeps room for thousands of lines to come.
    assert_eq!(client.get(CARD, "").status, 200);
    disk.fill();
    let mut given = 1;
    let refused = loop {
        let answer = client.get(CARD, "");
        if answer.status != 200 {
            break answer;
        }
        given += 1;
        assert!(given < 20_000, "it never comes to an end");
    };
    assert!(given > 2_000, "only {given} on a full disk");
    assert_eq!(refused.status, 503);
    let body = refused.json();
    assert!(body["error"].as_str().unwrap().contains("No space left on device"), "{body}");
    assert!(!refused.text.contains(&serving::text(1)));
    // As many lines as tokens, each whole.
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.ends_with("}\n"));
    assert_eq!(text.lines().count(), given);
    fs::remove_file(disk.0.path().join("somebody-else-s")).unwrap();
    assert_eq!(client.get(CARD, "").status, 200, "and it heals by itself");
}

#[test]
fn keepers_that_do_not_answer_delay_no_token() {
    let serving = Serving::deaf(&["main"]);
    serving.post(1);
    let asks = std::thread::scope(|scope| {
        let livez = scope.spawn(|| serving.unix().get("/livez", ""));
        let pause = scope.spawn(|| {
            let mut client = serving.unix();
            client.send("POST", "/v1/accounts/main/pause", "");
            client.read().unwrap()
        });
        let began = now();
        let mut client = serving.unix();
        for _ in 0..100 {
            assert_eq!(client.get(CARD, "").status, 200);
        }
        // One alone would have waited for as long as the deaf are waited for.
        assert!(began.elapsed() < Duration::from_millis(3_500), "{:?}", began.elapsed());
        [livez.join().unwrap(), pause.join().unwrap()]
    });
    for answer in asks {
        assert_eq!(answer.status, 503, "{answer:?}");
    }
}
