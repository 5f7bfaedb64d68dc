//! One keeper for each account, whatever happens to it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use firstbell::stores;

use crate::Machine;

/// The environment variable that makes the next test the other process of itself.
const HOLDER: &str = "FB_TEST_LEASE_IN";

fn holder(folder: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let name = "lease::a_lease_is_one_process_s_until_it_dies";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(HOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("lease: true\n") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "the other process has no lease");
    }
    (child, said)
}

#[test]
fn a_lease_is_one_process_s_until_it_dies() {
    if let Some(folder) = std::env::var_os(HOLDER) {
        let lease = stores::try_lease(Path::new(&folder), "a").unwrap();
        writeln!(std::io::stdout(), "lease: {}", lease.is_some()).unwrap();
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let machine = Machine::new();
    let (mut child, _said) = holder(&machine.state());
    assert!(stores::try_lease(&machine.state(), "a").unwrap().is_none());
    assert!(stores::try_lease(&machine.state(), "b").unwrap().is_some(), "each account has its own");
    assert!(stores::try_lock_login(&machine.state(), "a").unwrap().is_some(), "logging in is another thing");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::STOP).unwrap();
    assert!(stores::try_lease(&machine.state(), "a").unwrap().is_none(), "a stopped process keeps it");
    child.kill().unwrap();
    child.wait().unwrap();
    let mine = stores::try_lease(&machine.state(), "a").unwrap();
    assert!(mine.is_some());
    drop(mine);
    drop(holder(&machine.state()).0.kill());
}
