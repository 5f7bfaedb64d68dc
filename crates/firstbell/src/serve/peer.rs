//! Who is at the other end of a socket, by the kernel's word, and which process that is.

use std::fmt::Write as _;
use std::io::Read;

use tokio::net::UnixStream;

/// A process as it stood when it connected. Numbers of processes are used again; one with its start is not.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) pid: Option<i32>,
    /// In ticks since the machine started (`/proc/PID/stat`, field 22).
    pub(super) started: Option<u64>,
    /// The name that it gives itself: it may be any other's.
    pub(super) program: String,
}

impl Peer {
    /// Of a connection; none where the kernel does not say.
    pub(super) fn of(stream: &UnixStream) -> Option<Peer> {
        let peer = stream.peer_cred().ok()?;
        // 0 is what the kernel says of a process that this one cannot see.
        let pid = peer.pid().filter(|pid| *pid > 0);
        let (program, started) = pid.and_then(stat).unzip();
        let program = program.unwrap_or_default();
        Some(Peer { uid: peer.uid(), gid: peer.gid(), pid, started, program })
    }

    /// This process.
    pub(super) fn own() -> Peer {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let pid = i32::try_from(std::process::id()).ok();
        let (program, started) = pid.and_then(stat).unzip();
        Peer { uid, gid, pid, started, program: program.unwrap_or_default() }
    }

    /// Whether it is our own user, or root.
    pub(super) fn is_ours(&self) -> bool {
        self.uid == rustix::process::geteuid().as_raw() || self.uid == 0
    }

    /// As it stands in the audit log: members of a JSON object.
    pub(super) fn written(&self) -> String {
        let mut text = format!("\"peer\":{{\"uid\":{},\"gid\":{}", self.uid, self.gid);
        if let Some(pid) = self.pid {
            let _ = write!(text, ",\"pid\":{pid}");
        }
        if let Some(started) = self.started {
            let _ = write!(text, ",\"started\":{started}");
        }
        let _ = write!(text, "}},\"program\":{}", serde_json::Value::from(self.program.as_str()));
        text
    }
}

/// Name and start of a process.
fn stat(pid: i32) -> Option<(String, u64)> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
    file.take(4_096).read_to_end(&mut bytes).ok()?;
    read(&String::from_utf8_lossy(&bytes))
}

fn read(stat: &str) -> Option<(String, u64)> {
    // A program may put brackets and spaces into its name; what comes behind the last bracket is the kernel's.
    let (before, after) = (stat.find('(')?, stat.rfind(')')?);
    let name = stat.get(before + 1..after)?;
    let started = stat.get(after + 1..)?.split_whitespace().nth(19)?.parse().ok()?;
    Some((name.to_owned(), started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_move_the_fields() {
        let rest: Vec<String> = (3..=52).map(|n| n.to_string()).collect();
        let stat = format!("7 (a) S (b\n) {}", rest.join(" "));
        assert_eq!(read(&stat), Some(("a) S (b\n".into(), 22)));
        assert_eq!(read("7 (a"), None);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(super::stat(own).unwrap().1 > 0);
    }

    #[test]
    fn a_name_stays_one_text_on_one_line() {
        let program = "x\"}\n{\"uid\":0".to_owned();
        let peer = Peer { uid: 1, gid: 2, pid: Some(3), started: None, program };
        let line = format!("{{{}}}", peer.written());
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["peer"]["uid"], &read["program"]), (&1.into(), &"x\"}\n{\"uid\":0".into()));
    }
}
