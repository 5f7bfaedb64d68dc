//! `firstbell exec` as a supervisor: it waits for a token, moves a program to the next one, and passes on what is not its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use firstbell::clock::MachineClock;
use firstbell::ports::{Clock, TokenChange};
use firstbell::stores;
use firstbell_core::broker::App;
use firstbell_core::event::Event;
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use support::{Ended, Home, Sim};
use terminal::Terminal;

/// A firstbell that runs a shell script, which tells by lines what it is doing.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(home: &Home, options: &[&str], script: &str) -> Running {
        let mut command = home.command(&["exec"]);
        command.args(options).args(["--", "/bin/sh", "-c", script]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> Ended {
        let mut stdout = String::new();
        self.lines.read_to_string(&mut stdout).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        Ended { code: status.code().unwrap_or_else(|| 1000 + status.signal().unwrap()), stdout, stderr }
    }
}

fn logged_in() -> (Sim, Home, String) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.quiet_hours();
    let token = again(&sim, &home);
    (sim, home, token)
}

/// One more login, and its token.
fn again(sim: &Sim, home: &Home) -> String {
    sim.settings(&json!({ "totp_reuse": true }));
    assert_eq!(home.login("http").code, 0);
    home.token().unwrap()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_program_is_started_again_with_the_next_token() {
    let (sim, home, first) = logged_in();
    let options = ["--token-as", "TOKEN", "--key-as", "KEY"];
    let script =
        "trap 'echo bye; exit 0' TERM; echo $TOKEN $KEY $KITE_ACCESS_TOKEN; while :; do sleep 0.05; done";
    let mut running = Running::start(&home, &options, script);
    let key = &sim.account.api_key;
    assert_eq!(
        running.line(),
        format!("{first} {key}"),
        "under the names that were asked for, and no others"
    );
    let second = again(&sim, &home);
    assert_ne!(first, second);
    assert_eq!((running.line(), running.line()), ("bye".into(), format!("{second} {key}")));
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "bye\n"));
    assert!(ended.stderr.contains("there is another token"), "{ended:?}");
}

/// As one that was issued in the hours in which the broker ends tokens: in doubt from its first moment.
fn keep_in_doubt(sim: &Sim, home: &Home, access_token: String) {
    let (stores, clock) = (stores::open(&home.state()).unwrap(), MachineClock::start());
    let (api_key, user_id) = (sim.account.api_key.clone(), sim.account.user_id.clone());
    let user = App { api_key: api_key.clone(), user_id, redirect: sim.redirect.parse().unwrap() }.user();
    let (now, access) = (clock.now(), Access::parse(Secret::new(access_token)).unwrap());
    let dead_from = now + jiff::SignedDuration::from_hours(24);
    let life = Life { issued: now, trusted_until: now, suspect_from: now, dead_from };
    let token = Token { access, api_key, generation: 2, life };
    let record = |event, change| stores.store().record(&user, &[(now, event)], change).unwrap();
    record(Event::Issued { generation: 2 }, TokenChange::Pend(&token));
    record(Event::Proven { generation: 2 }, TokenChange::Promote);
}

/// Nobody else would prove it: without a daemon it is in doubt until it ends.
#[test]
fn a_next_token_that_is_in_doubt_is_proven_and_handed_on() {
    let (sim, home, first) = logged_in();
    let other = Home::new(&sim);
    other.quiet_hours();
    let second = again(&sim, &other);
    let script = "trap 'exit 0' TERM; echo $KITE_ACCESS_TOKEN; while :; do sleep 0.05; done";
    let mut running = Running::start(&home, &[], script);
    assert_eq!(running.line(), first);
    let calls = || sim.seen()["profile_calls"].as_u64().unwrap();
    let before = calls();
    keep_in_doubt(&sim, &home, second.clone());
    assert_eq!(running.line(), second);
    assert_eq!(calls(), before + 1);
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 0);
}

#[test]
fn a_program_that_does_not_end_is_made_to() {
    let (sim, home, first) = logged_in();
    let script = "trap '' TERM; echo $KITE_ACCESS_TOKEN; while :; do sleep 0.05; done";
    let mut running = Running::start(&home, &["--grace-s", "0"], script);
    assert_eq!(running.line(), first);
    let second = again(&sim, &home);
    assert_eq!(running.line(), second);
    running.signal(Signal::QUIT);
    let ended = running.end();
    assert_eq!(ended.code, 131, "128 and the signal by which the program was ended: {ended:?}");
}

#[test]
fn a_program_that_reads_a_descriptor_is_only_told() {
    let (sim, home, first) = logged_in();
    let script = "trap 'cat /dev/fd/7' USR1; trap 'exit 9' TERM; cat /dev/fd/7; echo fd $FIRSTBELL_FD $KITE_ACCESS_TOKEN; \
                  while :; do sleep 0.05; done";
    let options = ["--on-change", "usr1", "--fd", "7", "--format", "env"];
    let mut running = Running::start(&home, &options, script);
    let key = &sim.account.api_key;
    assert_eq!(running.line(), format!("KITE_API_KEY={key}"));
    assert_eq!(running.line(), format!("KITE_ACCESS_TOKEN={first}"));
    assert_eq!(running.line(), "fd 7", "the token is not in the environment as well");
    let next = again(&sim, &home);
    assert_eq!(running.line(), format!("KITE_API_KEY={key}"));
    assert_eq!(running.line(), format!("KITE_ACCESS_TOKEN={next}"));
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 9);
}

#[test]
fn signals_and_exit_codes_are_passed_on() {
    let (sim, home, _) = logged_in();
    let script = "for s in HUP INT QUIT USR1 USR2; do trap \"echo $s\" $s; done; trap 'exit 17' TERM; \
                  echo ready; while :; do sleep 0.05; done";
    let mut running = Running::start(&home, &[], script);
    assert_eq!(running.line(), "ready");
    // A shell lets signals through by itself; a program that does not, such as any in Python, must find none held back.
    let mask = home.run(&["exec", "--", "/bin/grep", "SigBlk", "/proc/self/status"]);
    assert_eq!(mask.stdout, "SigBlk:\t0000000000000000\n", "{mask:?}");
    for (signal, name) in [
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
    ] {
        running.signal(signal);
        assert_eq!(running.line(), name);
    }
    // A word that a program outlives is not its end: it is moved to the next token all the same.
    let again = again(&sim, &home);
    assert_eq!(running.line(), "ready");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 17);
    assert_eq!(
        home.run(&["exec", "--", "/bin/sh", "-c", "echo $KITE_ACCESS_TOKEN"]).stdout,
        format!("{again}\n")
    );
    let killed = home.run(&["exec", "--", "/bin/sh", "-c", "kill -KILL $$"]);
    assert_eq!(killed.code, 137);
    assert_eq!(home.run(&["exec", "--", "/nonexistent"]).code, 127);
    let json = home.run(&["exec", "--json", "--", "/bin/sh", "-c", "exit 3"]);
    assert_eq!((json.code, json.json()), (3, json!({ "ok": false, "exit": 3 })));
}

/// A strategy that stays behind would trade beside its successor.
#[test]
fn nothing_of_a_program_is_left_when_it_is_started_again_or_its_supervisor_is_gone() {
    let (sim, home, first) = logged_in();
    let script = "sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' & echo $KITE_ACCESS_TOKEN $!; wait";
    let mut running = Running::start(&home, &["--grace-s", "1"], script);
    let told = |line: String| {
        let (token, pid) =
            line.split_once(' ').map(|(token, pid)| (token.to_owned(), pid.to_owned())).unwrap();
        (token, PathBuf::from(format!("/proc/{pid}")))
    };
    let (token, behind) = told(running.line());
    assert!(token == first && behind.exists());
    let second = again(&sim, &home);
    let (token, after) = told(running.line());
    assert_eq!(token, second);
    assert!(!behind.exists(), "what the first one started is gone before the second one begins");
    assert!(after.exists());
    // The program hears of its supervisor's end by the kernel.
    let mut alone =
        Running::start(&home, &[], "trap 'echo over; exit 0' TERM; echo begun; while :; do sleep 0.05; done");
    assert_eq!(alone.line(), "begun");
    alone.child.kill().unwrap();
    assert_eq!(alone.line(), "over");
    alone.child.wait().unwrap();
    running.signal(Signal::TERM);
    assert_eq!(running.child.wait().unwrap().code(), Some(143));
    // Whoever ends it for good is asked for no more: what it started is his.
    let pid: i32 = after.file_name().unwrap().to_str().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Ctrl-C goes to everybody in the foreground: a program that counts hears it once, and not again from us.
#[test]
fn a_terminal_s_word_is_heard_once() {
    let (_sim, home, _) = logged_in();
    let script = home.dir.path().join("counts");
    let text = "trap 'echo heard' INT; trap 'echo over; exit 0' TERM; echo here $$ there; while :; do sleep 0.05; done";
    fs::write(&script, text).unwrap();
    let mut terminal = Terminal::run(&home, &format!("exec -- /bin/sh {}", script.display()));
    terminal.until("there");
    let pid: i32 = terminal.shown.split("here ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    terminal.types("\u{3}");
    terminal.until("heard");
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let shown = terminal.rest();
    assert_eq!(shown.matches("heard").count(), 1, "{shown}");
}

#[test]
fn a_program_waits_for_a_token_and_not_for_ever() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let none = home.run(&["exec", "--", "/bin/echo", "ran"]);
    assert!(none.code == 6 && none.stdout.is_empty() && none.stderr.contains("firstbell login"), "{none:?}");
    let mut waiting = Running::start(&home, &["--wait"], "echo $KITE_ACCESS_TOKEN");
    let mut stderr = BufReader::new(waiting.child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("waiting for a token of main: "), "{said}");
    let token = again(&sim, &home);
    assert_eq!(waiting.line(), token);
    assert_eq!(waiting.child.wait().unwrap().code(), Some(0));
    for wrong in [&["--wait-until", "9:10"][..], &["--wait", "--wait-until", "09:10"], &["--fd", "2"]] {
        let refused = home.run(&[&["exec"], wrong, &["--", "/bin/true"]].concat());
        assert_eq!(refused.code, 2, "{refused:?}");
    }
}

#[test]
fn whoever_waits_may_be_told_to_end() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let mut waiting = Running::start(&home, &["--wait"], "echo ran");
    let mut stderr = BufReader::new(waiting.child.stderr.take().unwrap());
    stderr.read_line(&mut String::new()).unwrap();
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.child.wait().unwrap().code(), Some(130));
    assert_eq!(waiting.line(), "");
}

#[test]
fn what_a_program_writes_is_masked_if_that_is_asked_for() {
    let (_sim, home, token) = logged_in();
    let (half, rest) = token.split_at(11);
    let script = format!(
        "echo all $KITE_ACCESS_TOKEN; printf %s {half}; sleep 0.2; echo {rest}.; echo fault $KITE_ACCESS_TOKEN >&2; \
         printf '%s' {half}; exit 4"
    );
    let plain = home.run(&["exec", "--", "/bin/sh", "-c", &script]);
    assert!(plain.stdout.contains(&token) && plain.stderr.contains(&token), "{plain:?}");
    let masked = home.run(&["exec", "--mask", "--", "/bin/sh", "-c", &script]);
    assert_eq!(masked.stdout, format!("all [token]\n[token].\n{half}"));
    assert_eq!((masked.stderr.as_str(), masked.code), ("fault [token]\n", 4));
}

#[test]
fn a_program_that_needs_no_change_is_all_that_is_left() {
    let (_sim, home, token) = logged_in();
    let mut running =
        Running::start(&home, &["--on-change", "none"], "echo $$ $KITE_ACCESS_TOKEN; tail -f /dev/null");
    assert_eq!(running.line(), format!("{} {token}", running.child.id()));
    let program = fs::read_link(PathBuf::from(format!("/proc/{}/exe", running.child.id()))).unwrap();
    assert!(!program.ends_with("firstbell"), "{}", program.display());
    running.child.kill().unwrap();
    assert_eq!(running.child.wait().unwrap().signal(), Some(9));
}
