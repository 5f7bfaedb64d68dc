//! From the seat of a second local user in the middle of a login: no port, no file, no process, no argument and no core gives
//! anything away, whichever browser is driven.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/cores.rs"]
mod cores;
#[path = "support/family.rs"]
mod family;
#[path = "support/held.rs"]
mod held;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/stranger.rs"]
mod stranger;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use family::Kin;
use held::Held;
use rustix::process::{Pid, Signal, test_kill_process};
use scanner::Scanner;
use stranger::as_stranger;
use support::engines;

fn scanner(held: &Held) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.add("password", &held.sim.account.password);
    scanner.add("api secret", &held.sim.account.api_secret);
    scanner.add_seed("seed", &held.sim.account.totp_seed);
    scanner.add("what the login was given", &held.mark);
    scanner
}

/// Nothing of it is left, and no core anywhere that one of it stood.
fn leaves_nothing(held: &Held, name: &str, places: &BTreeSet<PathBuf>) {
    family::gone(name, &held.family, &held.folder);
    if !cores::lie_beside() {
        return;
    }
    // No core is ever written into /proc, and a dying process's folder there may refuse even root.
    for place in places.iter().filter(|place| place.is_dir() && !place.starts_with("/proc")) {
        for file in fs::read_dir(place).unwrap().flatten() {
            let file = file.file_name().to_string_lossy().into_owned();
            assert!(!file.starts_with("core"), "{name}: {file} in {}", place.display());
        }
    }
}

/// The sockets that anybody on this machine could reach, by inode: those that listen or take datagrams, and those with a name
/// in the abstract space, which no folder guards.
fn open_doors() -> BTreeMap<String, String> {
    let rows = |file: &'static str, inode: usize| {
        let text = fs::read_to_string(format!("/proc/net/{file}")).unwrap_or_default();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = text.lines().skip(1).map(words).collect();
        rows.into_iter().map(move |row| (row[inode].clone(), row, file))
    };
    let tcp = ["tcp", "tcp6"].into_iter().flat_map(|file| rows(file, 9)).filter(|(_, r, _)| r[3] == "0A");
    let udp = ["udp", "udp6"].into_iter().flat_map(|file| rows(file, 9));
    // The kernel gives connected pairs such names too; nobody can connect to those.
    let takes = |row: &[String]| row[3] == "00010000" || row[4] == "0002";
    let abstract_name = |row: &[String]| row.get(7).is_some_and(|path| path.starts_with('@'));
    let named = rows("unix", 6).filter(|(_, row, _)| abstract_name(row) && takes(row));
    tcp.chain(udp)
        .chain(named)
        .map(|(inode, row, file)| (inode, format!("{file} {}", row.join(" "))))
        .collect()
}

fn has_no_door(name: &str, all: &[Kin]) {
    let own = Kin::read(std::process::id()).unwrap();
    let planted = (TcpListener::bind("127.0.0.2:0").unwrap(), UdpSocket::bind("127.0.0.2:0").unwrap());
    let doors = open_doors();
    let found = own.sockets().iter().filter(|inode| doors.contains_key(*inode)).count();
    assert!(found >= 2, "the look at ports does not see {planted:?}");
    for kin in all {
        let open: Vec<_> = kin.sockets().iter().filter_map(|inode| doors.get(inode).cloned()).collect();
        assert!(open.is_empty(), "{name}: {} can be reached through {open:#?}", kin.arguments);
    }
}

/// Every path below a folder, as its owner sees it.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let real = entry.file_type().is_ok_and(|kind| kind.is_dir());
        found.extend(if real { paths(&entry.path()) } else { vec![entry.path()] });
    }
    found
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

fn refused<T>(what: &str, outcome: io::Result<T>) {
    let kind = outcome.err().map(|e| e.kind());
    // What ended meanwhile gives nothing away either.
    assert!(
        matches!(kind, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound)),
        "{what}: {kind:?}"
    );
}

fn a_stranger_is_kept_out(name: &str, held: &Held) {
    assert_eq!(fs::metadata(&held.folder).unwrap().mode() & 0o777, 0o700, "{name}");
    let inside = paths(&held.folder);
    assert!(inside.len() > 5, "{name}: {inside:?}");
    let sockets: Vec<_> = inside.iter().filter(|path| is_socket(path)).collect();
    assert!(sockets.len() == 2 || name.starts_with("chrome ("), "{name}: a cage's two doors: {sockets:?}");
    let all = [held.family.clone(), vec![held.itself()]].concat();
    let (closed, open) = (
        held.home.config().with_file_name("closed"),
        std::env::temp_dir().join(format!("fb-test-open-{}", held.firstbell.id())),
    );
    for (path, mode) in [(&closed, 0o600), (&open, 0o644)] {
        fs::write(path, "x").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    as_stranger(|| {
        refused("the stranger is not strange", fs::read(&closed));
        fs::read(&open).unwrap();
        for path in &inside {
            let place = format!("{name}: {}", path.display());
            refused(&place, fs::read_dir(path));
            refused(&place, fs::File::open(path));
            refused(&place, fs::File::create(path.join("left-by-a-stranger")));
        }
        for socket in &sockets {
            refused(&format!("{name}: {}", socket.display()), UnixStream::connect(socket));
        }
        for kin in &all {
            for file in ["mem", "environ", "maps", "auxv", "syscall", "stack", "fdinfo/0", "map_files"] {
                let path = format!("/proc/{}/{file}", kin.id);
                refused(
                    &format!("{name}: {path} of {}", kin.arguments),
                    fs::File::open(&path).and_then(|mut f| io::copy(&mut f, &mut io::sink())),
                );
            }
            for link in ["root", "cwd", "exe", "ns/net"] {
                refused(
                    &format!("{name}: {link} of {}", kin.arguments),
                    fs::read_link(format!("/proc/{}/{link}", kin.id)),
                );
            }
            refused(name, fs::read_dir(format!("/proc/{}/fd", kin.id)));
            let pid = Pid::from_raw(kin.id.try_into().unwrap()).unwrap();
            refused(name, test_kill_process(pid).map_err(io::Error::from));
        }
    });
    fs::remove_file(open).unwrap();
}

/// Neither a limit nor a filter lets memory into a core: the limit does not count where cores go to a program.
fn may_leave_no_core(name: &str, held: &Held) {
    for kin in &held.family {
        let (filter, limits) = (kin.proc("coredump_filter"), kin.proc("limits"));
        if !kin.lives() {
            continue;
        }
        assert_eq!(filter.trim(), "00000000", "{name}: {}", kin.arguments);
        let core: Vec<&str> = limits
            .lines()
            .find_map(|l| l.strip_prefix("Max core file size"))
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(core[..2], ["0", "0"], "{name}: {}", kin.arguments);
    }
}

fn where_they_stand(held: &Held) -> BTreeSet<PathBuf> {
    let all = held
        .family
        .iter()
        .chain([&held.itself()])
        .map(|kin| format!("/proc/{}/cwd", kin.id))
        .collect::<Vec<_>>();
    all.iter().filter_map(|link| fs::read_link(link).ok()).collect()
}

/// One test for each browser engine.
macro_rules! seats {
    ($($name:ident: $number:expr),*) => {$(
        mod $name {
            #[test]
            fn a_second_user_in_the_middle_of_a_login_gets_nothing() {
                super::gets_nothing($number);
            }

            #[test]
            fn a_browser_that_is_aborted_leaves_no_core() {
                super::aborted($number);
            }
        }
    )*};
}

seats!(headless_shell: 0, full_chrome: 1, firefox: 2, chromedriver: 3, geckodriver: 4);

fn gets_nothing(number: usize) {
    let (name, lines) = engines::every_browser().swap_remove(number);
    let mut held = Held::begin(&lines);
    let all = [held.family.clone(), vec![held.itself()]].concat();
    has_no_door(name, &all);
    a_stranger_is_kept_out(name, &held);
    may_leave_no_core(name, &held);
    let scanner = scanner(&held);
    let finds = scanner.search_tree(&held.folder);
    assert!(finds.is_empty(), "{name}: {finds:#?}");
    // firstbell itself is brought down as hard as a fault in it would.
    let places = where_they_stand(&held);
    held.itself().signal(Signal::ABORT);
    held.firstbell.wait().unwrap();
    leaves_nothing(&held, name, &places);
    let shown = held.shown.join().unwrap();
    assert!(shown.iter().any(|text| text.contains("firstbell-browser-")), "{name}: the watch saw nothing");
    for text in shown {
        let finds = scanner.search(&text, text.as_bytes());
        assert!(finds.is_empty(), "{name}: {finds:#?}");
    }
}

fn aborted(number: usize) {
    let (name, lines) = engines::every_browser().swap_remove(number);
    let mut held = Held::begin(&lines);
    let places = where_they_stand(&held);
    // The last ones first: a browser's children are to die by the signal, not by their parent's end.
    for kin in held.family.iter().rev() {
        kin.signal(Signal::ABORT);
    }
    assert!(!held.firstbell.wait().unwrap().success(), "{name}");
    leaves_nothing(&held, name, &places);
    assert!(!held.folder.exists(), "{name}: {} is left", held.folder.display());
}
