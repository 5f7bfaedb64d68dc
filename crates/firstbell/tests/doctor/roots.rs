//! Each probe of the machine on texts of a good one, a worse one, and one that does not tell.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use firstbell::doctor::finding::{Finding, Grade, Report};
use firstbell::doctor::machine::Machine;
use firstbell::doctor::posture;
use firstbell::doctor::{disk, doors, memory, people, upkeep};
use tempfile::TempDir;

const ME: u32 = 1000;

/// A machine with these files; a text that begins with `-> ` is a link.
pub(crate) fn machine(files: &[(&str, &str)]) -> (TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(to) => symlink(to, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    let machine = Machine::below(root.path(), ME);
    (root, machine)
}

/// Looks at a machine with a probe: its grade, and that whatever is wrong and known can be mended.
fn grade(probe: impl Fn(&Machine) -> Finding, files: &[(&str, &str)]) -> (Grade, String) {
    let (_root, machine) = machine(files);
    let found = probe(&machine);
    let is_unknown = found.what.starts_with("could not be told: ");
    assert_eq!(found.mend.is_none(), found.grade == Grade::Good || is_unknown, "{found:?}");
    assert!(!is_unknown || found.grade == Grade::Warning, "what cannot be seen is never good: {found:?}");
    (found.grade, found.what)
}

const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

/// A disk with a plain partition, an encrypted one under LVM, and a device that is encrypted itself.
const DISKS: [(&str, &str); 9] = [
    ("/sys/class/block/sda1/partition", "1"),
    ("/sys/class/block/sda2/partition", "2"),
    ("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123\n"),
    ("/sys/class/block/dm-0/dm/name", "luks-0123\n"),
    ("/sys/class/block/dm-0/slaves/sda2/x", ""),
    ("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"),
    ("/sys/class/block/dm-1/dm/name", "vg-root\n"),
    ("/sys/class/block/dm-1/slaves/dm-0/x", ""),
    ("/sys/class/block/zram0/size", "1"),
];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    DISKS.iter().copied().chain(more.iter().copied()).collect()
}

fn swaps(rows: &str) -> Vec<(&'static str, String)> {
    let mut files: Vec<(&str, String)> = DISKS.iter().map(|(p, t)| (*p, (*t).to_owned())).collect();
    files.push(("/proc/swaps", format!("{SWAPS}{rows}")));
    files.push(("/proc/self/mountinfo", mount("8:1", "/dev/sda1", "ext4")));
    files
}

fn mount(number: &str, source: &str, kind: &str) -> String {
    format!(
        "22 1 0:5 / /proc rw - proc proc rw\n36 1 {number} / / rw,relatime shared:1 - {kind} {source} rw\n"
    )
}

#[test]
fn swap_is_good_where_there_is_none_in_memory_or_encrypted() {
    for (rows, want) in [
        ("", Grade::Good),
        ("/dev/zram0\tpartition\t1\t0\t100\n", Grade::Good),
        ("/dev/dm-0\tpartition\t1\t0\t-2\n", Grade::Good),
        ("/dev/mapper/vg-root\tpartition\t1\t0\t-2\n", Grade::Good),
        ("/dev/sda1\tpartition\t1\t0\t-2\n", Grade::Warning),
        ("/swapfile\tfile\t1\t0\t-2\n", Grade::Warning),
        ("/dev/zram0\tpartition\t1\t0\t5\n/dev/sda1\tpartition\t1\t0\t-2\n", Grade::Warning),
        ("/dev/gone\tpartition\t1\t0\t-2\n", Grade::Warning),
    ] {
        let files = swaps(rows);
        let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
        let (found, what) = grade(memory::swap, &files);
        assert_eq!(found, want, "{rows}: {what}");
        assert_eq!(what.starts_with("could not be told"), rows.contains("gone"), "{rows}: {what}");
    }
    assert!(grade(memory::swap, &[]).1.starts_with("could not be told"));
}

#[test]
fn hibernation_is_good_where_it_is_off_or_has_nowhere_to_go() {
    let state = ("/sys/power/state", "freeze mem disk\n");
    let open = ("/proc/swaps", &*format!("{SWAPS}/dev/sda1\tpartition\t1\t0\t-2\n"));
    let none = ("/proc/swaps", SWAPS);
    let masked = ("/etc/systemd/system/hibernate.target", "-> /dev/null");
    for (files, want) in [
        (with(&[state, open]), Grade::Warning),
        (with(&[state, open, masked]), Grade::Good),
        (with(&[state, none]), Grade::Good),
        (with(&[state, open, ("/sys/power/disk", "[disabled]\n")]), Grade::Good),
        (with(&[("/sys/power/state", "freeze mem\n"), open]), Grade::Good),
        (with(&[open]), Grade::Warning),
    ] {
        assert_eq!(grade(memory::hibernation, &files).0, want, "{files:?}");
    }
}

#[test]
fn core_files_are_good_where_none_is_kept() {
    let pattern = |text| ("/proc/sys/kernel/core_pattern", text);
    let limit = |text| ("/proc/self/limits", text);
    let (zero, some) = (
        limit(
            "Limit  Soft Limit  Hard Limit  Units\nMax core file size        0                    unlimited            bytes\n",
        ),
        limit("Max core file size        unlimited            unlimited            bytes\n"),
    );
    for (files, want) in [
        (vec![pattern("|/bin/false\n"), some], Grade::Good),
        (vec![pattern("core\n"), zero], Grade::Good),
        (vec![pattern("core\n"), some], Grade::Warning),
        (vec![pattern("core\n")], Grade::Warning),
        (vec![pattern("|/usr/lib/systemd/systemd-coredump %P %u\n"), zero], Grade::Warning),
        (vec![], Grade::Warning),
    ] {
        let (found, what) = grade(memory::core_files, &files);
        assert_eq!(found, want, "{files:?}: {what}");
    }
    let (_, what) = grade(memory::core_files, &[pattern("|/usr/lib/systemd/systemd-coredump %P"), zero]);
    assert!(what.contains("goes to systemd-coredump"), "{what}");
}

#[test]
fn tracing_is_good_where_yama_says_so() {
    for (level, want) in
        [("0\n", Grade::Warning), ("1\n", Grade::Good), ("3\n", Grade::Good), ("7\n", Grade::Warning)]
    {
        assert_eq!(
            grade(memory::tracing, &[("/proc/sys/kernel/yama/ptrace_scope", level)]).0,
            want,
            "{level}"
        );
    }
    assert_eq!(grade(memory::tracing, &[]).0, Grade::Warning);
}

#[test]
fn a_disk_is_encrypted_when_all_that_it_stands_on_is() {
    let looked = |number: &str, source: &str, kind: &str| {
        let text = mount(number, source, kind);
        grade(
            |machine| disk::encryption(machine, Path::new("/var/lib/fb")),
            &with(&[("/proc/self/mountinfo", &text)]),
        )
    };
    for (source, kind, want) in [
        ("/dev/mapper/vg-root", "ext4", Grade::Good),
        ("/dev/mapper/luks-0123", "btrfs", Grade::Good),
        ("/dev/dm-1", "xfs", Grade::Good),
        ("/dev/sda1", "ext4", Grade::Warning),
        ("overlay", "overlay", Grade::Warning),
        ("tmpfs", "tmpfs", Grade::Bad),
        ("server:/home", "nfs4", Grade::Bad),
        ("/srv/.me", "ecryptfs", Grade::Good),
    ] {
        let (found, what) = looked("0:99", source, kind);
        assert_eq!(found, want, "{source}: {what}");
        assert_eq!(what.starts_with("could not be told"), source == "overlay", "{what}");
    }
    // By the number of the device, whatever the mount calls it.
    let text = mount("253:7", "/dev/root", "ext4");
    let files = [("/proc/self/mountinfo", text.as_str()), ("/sys/dev/block/253:7/dm/uuid", "CRYPT-LUKS1-9")];
    assert_eq!(grade(|machine| disk::encryption(machine, Path::new("/x")), &files).0, Grade::Good);
    // The mount that lies deepest counts.
    let text =
        format!("{}40 36 8:1 / /var/lib rw - ext4 /dev/sda1 rw\n", mount("253:1", "/dev/dm-1", "ext4"));
    let files = with(&[("/proc/self/mountinfo", &text)]);
    for (place, want) in [("/var/lib/fb", Grade::Warning), ("/var/library", Grade::Good)] {
        assert_eq!(grade(|machine| disk::encryption(machine, Path::new(place)), &files).0, want, "{place}");
    }
    assert_eq!(grade(|machine| disk::encryption(machine, Path::new("/x")), &[]).0, Grade::Warning);
}

#[test]
fn others_are_counted_and_not_named() {
    let me = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/h/me:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\n";
    let service = "web:x:1001:1001::/srv:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/sh\n";
    let alone = format!("{me}{service}");
    assert_eq!(grade(people::others, &[("/etc/passwd", &alone)]).0, Grade::Good);
    let other = format!("{alone}carol:x:1002:1002:Carol:/h/carol:/bin/zsh\n");
    let files =
        [("/etc/passwd", other.as_str()), ("/run/systemd/users/1002", ""), ("/run/systemd/users/1000", "")];
    let (found, what) = grade(people::others, &files);
    assert_eq!(found, Grade::Warning);
    assert!(
        what.contains("1 other user") && what.contains("1 logged in now") && !what.contains("carol"),
        "{what}"
    );
    assert_eq!(grade(people::others, &[]).0, Grade::Warning);
    for (uid, want) in [(0, Grade::Warning), (ME, Grade::Good)] {
        assert_eq!(people::ourselves(&Machine::below(Path::new("/"), uid)).grade, want);
    }
}

/// Rows of `/proc/net/tcp`, as a little-endian machine writes them; a big-endian one has its bytes the other way round.
fn row(address: &str, port: u16, state: &str, inode: u32) -> String {
    let group =
        |at: usize| u32::from_be_bytes(u32::from_str_radix(&address[at..at + 8], 16).unwrap().to_ne_bytes());
    let address: String = (0..address.len()).step_by(8).map(|at| format!("{:08X}", group(at))).collect();
    format!(
        "   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1\n"
    )
}

const HEAD: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

#[test]
fn ports_are_told_with_their_programs_unless_they_are_loopback_s() {
    let look = |tcp: &str, tcp6: &str| {
        let (tcp, tcp6) = (format!("{HEAD}{tcp}"), format!("{HEAD}{tcp6}"));
        let files = [
            ("/proc/net/tcp", tcp.as_str()),
            ("/proc/net/tcp6", &tcp6),
            ("/proc/77/fd/3", "-> socket:[901]"),
            ("/proc/77/comm", "sshd\n"),
            ("/proc/78/fd/4", "-> socket:[902]"),
            ("/proc/78/comm", "evil\u{1b}[2Jname\n"),
        ];
        grade(doors::ports, &files)
    };
    let (any, loopback, connected) =
        (row("00000000", 80, "0A", 5), row("7F000001", 631, "0A", 6), row("0A000001", 5000, "01", 7));
    let ssh6 = row(&"0".repeat(32), 22, "0A", 901);
    let loopback6 = row("00000000000000000000000000000001", 631, "0A", 8);
    let mapped = row("00000000000000000000FFFF7F000001", 631, "0A", 8);
    assert_eq!(look(&format!("{loopback}{connected}"), &format!("{loopback6}{mapped}")).0, Grade::Good);
    let (found, what) = look(&loopback, &ssh6);
    assert!(found == Grade::Good && what.contains("only ssh") && what.contains("22 (sshd)"), "{what}");
    let (found, what) = look(&any, &ssh6);
    assert!(found == Grade::Warning && what.contains("22 (sshd), 80"), "{what}");
    let (found, what) = look(&row("C0A80005", 9222, "0A", 902), "");
    assert!(found == Grade::Bad && what.contains("9222 (evil") && !what.contains('\u{1b}'), "{what}");
    let many: String = (1..20).map(|port| row("00000000", port, "0A", 1)).collect();
    assert!(look(&many, "").1.ends_with("6, 13 more"), "{}", look(&many, "").1);
    assert_eq!(grade(doors::ports, &[]).0, Grade::Warning);
}

#[test]
fn a_browser_with_a_debugging_port_is_told_unless_it_is_in_a_cage() {
    let port = ("/proc/9/cmdline", "chrome\0--remote-debugging-port=9222\0");
    let ours = ("/proc/self/ns/net", "-> net:[1]");
    for (files, want) in [
        (vec![("/proc/9/cmdline", "chrome\0--remote-debugging-pipe\0"), ours], Grade::Good),
        (vec![port, ours, ("/proc/9/ns/net", "-> net:[1]")], Grade::Warning),
        (vec![port, ours, ("/proc/9/ns/net", "-> net:[2]")], Grade::Good),
        (vec![port, ours], Grade::Warning),
        (vec![], Grade::Warning),
    ] {
        assert_eq!(grade(doors::debugged, &files).0, want, "{files:?}");
    }
}

#[test]
fn updates_firewall_and_time_are_known_by_what_starts_them() {
    let apt = |text| ("/etc/apt/apt.conf.d/20auto-upgrades", text);
    let yes = "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n";
    let dnf = ("/etc/dnf/automatic.conf", "[commands]\napply_updates = yes\n");
    let timer = "/etc/systemd/system/timers.target.wants/dnf-automatic";
    for (files, want) in [
        (vec![apt(yes)], Grade::Good),
        (vec![apt("APT::Periodic::Unattended-Upgrade \"0\";\n")], Grade::Warning),
        (vec![apt("// APT::Periodic::Unattended-Upgrade \"1\";\n")], Grade::Warning),
        (vec![("/etc/apt/sources.list", "")], Grade::Warning),
        (vec![dnf, (&*format!("{timer}.timer"), "")], Grade::Good),
        (vec![("/etc/dnf/dnf.conf", ""), (&*format!("{timer}-install.timer"), "")], Grade::Good),
        (vec![dnf], Grade::Warning),
        (vec![], Grade::Warning),
    ] {
        assert_eq!(grade(upkeep::updates, &files).0, want, "{files:?}");
    }
    for (files, want) in [
        (vec![("/etc/ufw/ufw.conf", "# x\nENABLED=yes\n")], Grade::Good),
        (vec![("/etc/ufw/ufw.conf", "ENABLED=no\n")], Grade::Warning),
        (vec![("/etc/systemd/system/sysinit.target.wants/nftables.service", "-> /lib/x")], Grade::Good),
        (vec![("/etc/systemd/system/multi-user.target.wants/firewalld.service", "-> /lib/x")], Grade::Good),
        (vec![], Grade::Warning),
    ] {
        assert_eq!(grade(upkeep::firewall, &files).0, want, "{files:?}");
    }
    assert_eq!(grade(upkeep::time_service, &[("/run/systemd/timesync/synchronized", "")]).0, Grade::Good);
    assert_eq!(grade(upkeep::time_service, &[]).0, Grade::Warning);
}

#[test]
fn a_group_of_one_s_own_is_nobody_else_s() {
    let passwd = "root:x:0:0::/:/bin/sh\nme:x:1000:1000::/:/bin/sh\ncarol:x:1002:1002::/:/bin/sh\ndan:x:1003:1004::/:/bin/sh\n";
    let group = "me:x:1000:\nshared:x:1001:me,carol\nmine:x:1002:me,root\nown:x:1004:me\n";
    let (_root, machine) = machine(&[("/etc/passwd", passwd), ("/etc/group", group)]);
    let alone = |gid| people::is_alone_in(&machine, gid);
    // Carol's first group is 1002, and Dan's 1004, whatever their rows say.
    assert_eq!([1000, 1001, 1002, 1004, 77].map(alone), [true, false, false, false, false]);
}

#[test]
fn a_machine_that_tells_nothing_is_good_at_nothing() {
    let (_root, machine) = machine(&[]);
    let all = [
        memory::examine(&machine),
        doors::examine(&machine),
        upkeep::examine(&machine),
        posture::own(&machine, None),
    ];
    for found in
        all.concat().into_iter().chain([people::others(&machine), disk::encryption(&machine, Path::new("/"))])
    {
        assert_eq!(found.grade, Grade::Warning, "{found:?}");
    }
}

#[test]
fn a_report_tells_the_worst_of_each_area_first_and_breaks_no_command() {
    let (_root, machine) = machine(&[("/proc/swaps", SWAPS), ("/proc/sys/kernel/yama/ptrace_scope", "0")]);
    let report = Report::of(memory::examine(&machine));
    let lines = report.lines();
    assert_eq!(lines[0], "This machine");
    let place = |text: &str| {
        lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{lines:#?}"))
    };
    assert!(place("! warning") < place("✓ good"));
    assert!(
        lines.iter().any(|line| line.contains("→ sudo sysctl -w kernel.yama.ptrace_scope=1")),
        "{lines:#?}"
    );
    assert_eq!(lines.last().unwrap(), "nothing is bad; 3 to look at, 1 good");
    assert!(lines.iter().all(|line| line.contains('→') || line.chars().count() <= 100), "{lines:#?}");
}
