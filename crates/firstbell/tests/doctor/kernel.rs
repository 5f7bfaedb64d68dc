//! What is in force for a process, on texts of the kernel's, and against what a unit asked for.

use firstbell::doctor::finding::Grade;
use firstbell::doctor::posture::{self, Posture};
use firstbell::doctor::unit;

use crate::roots::machine;

const STATUS: &str = "Name:\tfirstbell\nUid:\t1000\t1000\t1000\t1000\nVmLck:\t      64 kB\nVmRSS:\t      60 kB\nCapEff:\t0000000000000000\n\
                      NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
const LIMITS: &str = "Max core file size        0                    0                    bytes     \n";

#[test]
fn what_is_in_force_is_read_from_the_kernel_and_what_is_not_is_told() {
    let good = Posture::read(STATUS, LIMITS, Some(0));
    let want = Posture {
        dumpable: Some(false),
        core: Some(0),
        no_new_rights: Some(true),
        filtered: Some(true),
        rights: Some(0),
        locked_kb: Some(64),
        resident_kb: Some(60),
    };
    assert_eq!(good, want);
    assert!(posture::daemon(&good).iter().all(|found| found.grade == Grade::Good));
    // The files of a process that anybody of its user may look into are that user's.
    let open = Posture::read(STATUS, LIMITS, Some(1000));
    assert_eq!(posture::daemon(&open)[0].grade, Grade::Bad);
    // A unit asked for a filter, and the kernel has none.
    let loose = STATUS.replace("Seccomp:\t2", "Seccomp:\t0").replace("NoNewPrivs:\t1", "NoNewPrivs:\t0");
    let loose = posture::daemon(&Posture::read(&loose.replace("0000000000", "0000003fff"), LIMITS, Some(0)));
    let grades: Vec<(&str, Grade)> = loose.iter().map(|found| (found.id.as_str(), found.grade)).collect();
    assert_eq!(grades[1..3], [("daemon_rights", Grade::Warning), ("daemon_system_calls", Grade::Warning)]);
    // Root's files are root's either way; an old kernel says less.
    let blind = posture::daemon(&Posture::read("Uid:\t0\t0\t0\t0\n", "", Some(0)));
    assert!(
        blind[..3].iter().all(|found| found.grade == Grade::Warning && found.mend.is_none()),
        "{blind:#?}"
    );
    let (_root, machine) = machine(&[("/proc/self/status", STATUS), ("/proc/self/limits", LIMITS)]);
    for (dumpable, want) in [(Some(false), Grade::Good), (Some(true), Grade::Bad), (None, Grade::Warning)] {
        assert_eq!(posture::own(&machine, dumpable)[0].grade, want);
    }
}

#[test]
fn memory_that_is_not_locked_is_told_where_it_could_come_to_lie_open() {
    let posture = |status: &str| Posture::read(status, LIMITS, Some(0));
    let grade = |status: &str, swaps| posture::locked("x", "the daemon", &posture(status), swaps).grade;
    let open = STATUS.replace("VmLck:\t      64 kB", "VmLck:\t       0 kB");
    assert_eq!([grade(STATUS, true), grade(&open, false)], [Grade::Good; 2]);
    let told = posture::locked("x", "the daemon", &posture(&open), true);
    assert_eq!(told.grade, Grade::Warning);
    assert!(told.mend.is_some_and(|mend| mend.contains("LimitMEMLOCK=infinity")));
    assert_eq!(grade("Uid:\t0\t0\t0\t0\n", true), Grade::Warning);
}

#[test]
fn a_line_of_the_unit_that_the_kernel_ignores_is_told() {
    const GROUP: &str = "/sys/fs/cgroup/system.slice/firstbell.service";
    let asked = "[Service]\nNoNewPrivileges=yes\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n\
                 CapabilityBoundingSet=\nLimitCORE=0\nMemorySwapMax=0\nMemoryMax=2G\n";
    let (swap, memory) = (format!("{GROUP}/memory.swap.max"), format!("{GROUP}/memory.max"));
    let look = |group: &str, asked: &str, swap_max: &str, status: &str| {
        let files = [
            ("/proc/7/cgroup", group),
            ("/etc/systemd/system/firstbell.service", asked),
            (&swap, swap_max),
            (&memory, "2147483648\n"),
        ];
        let (_root, machine) = machine(&files);
        unit::examine(&machine, 7, &Posture::read(status, LIMITS, None))
    };
    let group = "0::/system.slice/firstbell.service\n";
    let found = look(group, asked, "0\n", STATUS).unwrap();
    let all = "NoNewPrivileges, SystemCallFilter, CapabilityBoundingSet, LimitCORE, MemorySwapMax, MemoryMax";
    assert!(found.grade == Grade::Good && found.what.ends_with(all), "{found:?}");
    let found = look(group, asked, "max\n", &STATUS.replace("Seccomp:\t2", "Seccomp:\t0")).unwrap();
    assert_eq!(found.grade, Grade::Bad);
    assert!(found.what.contains("asks for SystemCallFilter, MemorySwapMax, and"), "{found:?}");
    // What is not asked for is not missed; a later line takes an earlier one's place.
    let found =
        look(group, &format!("{asked}NoNewPrivileges=no\n"), "0", &STATUS.replace("Privs:\t1", "Privs:\t0"));
    assert_eq!(found.unwrap().grade, Grade::Good);
    assert_eq!(look(group, "[Service]\nExecStart=/x\n", "0", STATUS).unwrap().grade, Grade::Warning);
    assert_eq!(look("0::/user.slice/session-1.scope\n", asked, "0", STATUS), None);
    assert_eq!(look("0::/system.slice/other.service\n", asked, "0", STATUS), None);
    assert!(
        look(&format!("9:pids:/x\n1:name=systemd:/a/firstbell.service\n{}", ""), asked, "0", STATUS)
            .is_some()
    );
}
