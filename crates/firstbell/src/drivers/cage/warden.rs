//! What runs inside a cage: starts the engine, keeps the doors, and ends with everything when its leash is let go.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use tokio::net::{TcpListener, UnixListener};

use super::super::fence::Ground;
use super::super::filter::Whom;
use super::super::{bounds, filter, sandbox};
use super::order::{Order, Report};
use super::{relay, walls};

/// Longer than this no engine's line is on the way to its port.
const LINE_BYTES: usize = 4096;

/// The hidden command `firstbell cage`: `enter` leaves the machine's namespaces and starts the warden as the first process of
/// the new ones; `inside` is that warden; `open` is one without walls.
pub(in super::super) fn enter(stage: &str) -> ExitCode {
    let outcome = match stage {
        "enter" => walls::leave().and_then(|()| inside()),
        "inside" => walls::settle(),
        _ => rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(Into::into),
    };
    if let Err(e) = outcome {
        say(&Report::NoCage(e.to_string()));
        return ExitCode::FAILURE;
    }
    if stage == "enter" {
        return ExitCode::SUCCESS;
    }
    match keep(stage == "open") {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&Report::Ended(e.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Starts the warden and waits for its end. It has our standard input: whoever holds the other end holds both of us.
fn inside() -> io::Result<()> {
    Command::new("/proc/self/exe").args(["cage", "inside"]).status().map(drop)
}

fn keep(open: bool) -> io::Result<()> {
    let order = read_order()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (control, proxy) = runtime.block_on(async {
        Ok::<_, io::Error>((UnixListener::bind(&order.control)?, TcpListener::bind("127.0.0.1:0").await?))
    })?;
    let proxy_port = proxy.local_addr()?.port();
    // The one around its doors is its private folder. Its network is its own, with nobody in it.
    let folder = order.control.parent().unwrap_or(&order.folder);
    let programs: Vec<_> = order.browser.iter().chain([&order.program]).map(PathBuf::as_path).collect();
    let bounds = bounds::set(&Ground { programs: &programs, folder, port: None }, Whom::Engine)?;
    let (mut engine, filters) = std::thread::scope(|scope| {
        // On a thread of its own: the warden itself asks at a socket for each way out.
        scope.spawn(|| confine(&order).and_then(|filters| Ok((start(&order)?, filters)))).join()
    })
    .unwrap_or_else(|_| Err(io::Error::other("its start broke off")))?;
    // From here on it relays what is typed: no other process of its user may look into it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let (tell, hear) = channel();
    watch_outputs(&mut engine, &order.ready, &tell);
    let pid = Pid::from_child(&engine);
    std::thread::spawn(move || await_all(pid, &tell));
    std::thread::spawn(move || {
        // The leash: it ends when firstbell lets go, or is no more.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        end(open);
    });
    std::thread::spawn(move || {
        let (mut ready, mut no_sandbox) = (false, false);
        for event in hear {
            match event {
                Heard::Port(port) if !ready => {
                    ready = true;
                    say(&Report::Ready { port, proxy: proxy_port, bounds, filters });
                }
                Heard::NoSandbox => no_sandbox = true,
                Heard::Ended if !ready => {
                    say(&if no_sandbox {
                        Report::NoSandbox
                    } else {
                        Report::Ended("it ended by itself".into())
                    });
                    end(open);
                }
                Heard::Ended => end(open),
                Heard::Port(_) => {}
            }
        }
    });
    runtime.block_on(async {
        tokio::join!(relay::way_in(control), relay::way_out(proxy, order.out));
    });
    Ok(())
}

enum Heard {
    Port(u16),
    NoSandbox,
    Ended,
}

fn read_order() -> io::Result<Order> {
    let mut line = Vec::new();
    let mut stdin = io::stdin().lock();
    for byte in stdin.by_ref().bytes() {
        match byte? {
            b'\n' => return Ok(serde_json::from_slice(&line)?),
            byte => line.push(byte),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Takes from this thread what the engine does not need; how many filters it stands under then.
fn confine(order: &Order) -> io::Result<u32> {
    if order.alone {
        filter::raise(Whom::Alone)?;
    }
    Ok(sandbox::inherited())
}

fn start(order: &Order) -> io::Result<Child> {
    // A core of a browser holds the password many times over; its children inherit this, and no limit can undo it.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
    Command::new(&order.program)
        .args(&order.arguments)
        .env_clear()
        .envs(order.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", order.program.display())))
}

/// Reads both outputs until they end: a full pipe would stop the engine. Only the number of its port is kept.
fn watch_outputs(engine: &mut Child, ready: &[String], tell: &Sender<Heard>) {
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        engine.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
        engine.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>),
    ];
    for output in outputs.into_iter().flatten() {
        let (ready, tell) = (ready.to_vec(), tell.clone());
        std::thread::spawn(move || watch(output, &ready, &tell));
    }
}

fn watch(output: impl Read, ready: &[String], tell: &Sender<Heard>) {
    let mut line = Vec::new();
    for byte in io::BufReader::new(output).bytes().map_while(Result::ok) {
        if byte != b'\n' {
            if line.len() < LINE_BYTES {
                line.push(byte);
            }
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        if let Some(port) = port_in(&text, ready) {
            let _ = tell.send(Heard::Port(port));
        }
        if text.contains("No usable sandbox") || text.contains("sandbox_linux") && text.contains("FATAL") {
            let _ = tell.send(Heard::NoSandbox);
        }
        line.clear();
    }
}

/// The number that follows one of the texts.
fn port_in(line: &str, ready: &[String]) -> Option<u16> {
    let after = ready.iter().find_map(|text| line.split_once(text.as_str()))?.1;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|port| *port != 0)
}

/// Waits for every child, also for those that nobody else waits for.
fn await_all(engine: Pid, tell: &Sender<Heard>) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, _))) if pid == engine => {
                let _ = tell.send(Heard::Ended);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Ends the warden. The first process of a namespace takes all others with it; one without walls has to look for them.
fn end(open: bool) -> ! {
    if open {
        slay();
    }
    std::process::exit(0);
}

/// Kills every descendant. Each that dies leaves its children to us, so that no generation escapes.
fn slay() {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    loop {
        let children = children_of(own);
        for child in &children {
            let _ = kill_process(*child, Signal::KILL);
        }
        if children.is_empty() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn children_of(parent: i32) -> Vec<Pid> {
    let parent_in = |stat: &str| {
        // The name stands in brackets and may hold anything; the parent is the second word after it.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // A dead one is waited for by another thread.
            parent_in(&stat) == Some(parent) && !stat.contains(") Z ")
        })
        .filter_map(Pid::from_raw)
        .collect()
}

fn say(report: &Report) {
    let line = serde_json::to_string(report).expect("a report can be written as JSON") + "\n";
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_number_after_the_engine_s_own_words() {
        let ready = ["listening on ws://127.0.0.1:".to_owned(), "successfully on port ".to_owned()];
        assert_eq!(port_in("WebDriver BiDi listening on ws://127.0.0.1:4711", &ready), Some(4711));
        assert_eq!(port_in("ChromeDriver was started successfully on port 80.", &ready), Some(80));
        for line in ["listening on ws://127.0.0.1:0", "on port 80", "listening on ws://127.0.0.1:x", ""] {
            assert_eq!(port_in(line, &ready), None, "{line}");
        }
    }
}
