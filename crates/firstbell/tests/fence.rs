//! The fence around an engine, and its filter of system calls, from inside: a browser that is somebody else's program reads no file of
//! its user's, writes nowhere, connects nowhere but to the login, and asks the kernel for nothing that harms its neighbours or the
//! kernel; real ones go on behind both.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/family.rs"]
mod family;
mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::engines;
use support::{Home, Sim};

/// What a browser that was taken over would try, each with a word for what came of it. It runs as another user where we are root, so
/// that everything it tries is open to everybody.
const TAKEN_OVER: &str = r#"
tell() { if "${@:2}" >/dev/null 2>&1; then echo "$1 open"; else echo "$1 shut"; fi; }
connect() { (exec 9<>"/dev/tcp/127.0.0.1/$1"); }
{
    tell read cat PLANTED/secret
    tell list ls PLANTED
    tell write touch PLANTED/left
    tell shared touch /tmp/LEFT
    tell memory touch /dev/shm/LEFT
    tell cut truncate --size 0 PLANTED/secret
    tell port connect FOREIGN
    tell login connect LOGIN
    tell home touch "$HOME/mine"
    tell programs cat /etc/hostname
    tell signal kill -0 NEIGHBOUR
} >"$HOME/told"
exec sleep 60
"#;

#[test]
fn a_browser_that_was_taken_over_reads_nothing_and_gets_nowhere() {
    let (sim, foreign) = (Sim::start(), TcpListener::bind("127.0.0.1:0").unwrap());
    let home = Home::new(&sim);
    let planted = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
    let programs = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
    for folder in [&planted, &programs] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::write(planted.path().join("secret"), "the owner's").unwrap();
    let mut neighbour = neighbour();
    let left = format!("fb-test-left-{}", std::process::id());
    let script = TAKEN_OVER
        .replace("PLANTED", &planted.path().display().to_string())
        .replace("FOREIGN", &foreign.local_addr().unwrap().port().to_string())
        .replace("LOGIN", sim.site.rsplit(':').next().unwrap())
        .replace("LEFT", &left)
        .replace("NEIGHBOUR", &neighbour.id().to_string());
    let browser = programs.path().join("browser");
    program(&browser, &script);
    let is_all = |told: &str| told.lines().count() == 11;
    let told = told(&home, &browser, is_all);
    let expected = [
        ("read", "shut"),
        ("list", "shut"),
        ("write", "shut"),
        ("shared", "shut"),
        ("memory", "shut"),
        ("cut", "shut"),
        ("port", "shut"),
        ("login", "open"),
        ("home", "open"),
        ("programs", "open"),
        ("signal", if has_scopes() { "shut" } else { "open" }),
    ];
    let expected: String = expected.map(|(what, how)| format!("{what} {how}\n")).concat();
    assert_eq!(told, expected);
    assert_eq!(fs::read_dir(planted.path()).unwrap().count(), 1, "something was left");
    assert!(!["/tmp", "/dev/shm"].iter().any(|folder| Path::new(folder).join(&left).exists()));
    // The same program without a fence gets everywhere: these are the questions that find a missing one.
    let all = unfenced(&browser, planted.path(), is_all);
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
    for folder in ["/tmp", "/dev/shm"] {
        let _ = fs::remove_file(Path::new(folder).join(format!("fb-test-left-{}", std::process::id())));
    }
    assert!(!all.contains("shut"), "{all}");
}

/// A process of the browser's own user, which has nothing to do with it.
fn neighbour() -> Child {
    let mut sleeps = Command::new("sleep");
    if rustix::process::geteuid().is_root() {
        let named = ["firstbell-browser", "nobody"].map(|name| nix::unistd::User::from_name(name).unwrap());
        let user = named.into_iter().flatten().next().expect("every Debian has nobody");
        sleeps.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    sleeps.arg("600").spawn().unwrap()
}

/// Landlock tells signals apart since Linux 6.12.
fn has_scopes() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(12))
}

/// What else it would try: calls into another process of its own user, and into parts of the kernel where holes are found. A kernel that
/// looks at it at all finds fault with most of them for another reason, or with none. The words up to `bpf` are let where nothing is
/// around; what the later ones come to hangs on the machine.
const ATTACKER: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static FILE *told;

static void tell(const char *what, long came) {
    fprintf(told, "%s %s\n", what, came < 0 && errno == EPERM ? "refused" : "let");
}

int main(void) {
    static char planted[8] = "planted";
    char place[4096], taken[8], event[128] = {0};
    struct iovec to = {taken, sizeof taken}, from = {planted, sizeof planted};
    pid_t other = fork();
    if (other == 0) for (;;) pause();
    snprintf(place, sizeof place, "%s/told", getenv("HOME"));
    told = fopen(place, "w");
    tell("read-memory", syscall(SYS_process_vm_readv, other, &to, 1, &from, 1, 0));
    tell("write-memory", syscall(SYS_process_vm_writev, other, &to, 1, &from, 1, 0));
    tell("take-descriptor", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, other, 0), fileno(told), 0));
    tell("attach", ptrace(PTRACE_SEIZE, other, 0, 0));
    tell("keep-key", syscall(SYS_add_key, "user", "firstbell", "x", 1, -2));
    tell("find-keys", syscall(SYS_keyctl, 0, -2, 1));
    tell("watch-kernel", syscall(SYS_perf_event_open, event, 0, -1, -1, ~0UL));
    tell("fault-memory", syscall(SYS_userfaultfd, ~0U));
    tell("enter", syscall(SYS_setns, -1, 0));
    tell("ask-a-bus", socket(AF_UNIX, SOCK_STREAM, 0));
    tell("ask-the-host", socket(AF_VSOCK, SOCK_STREAM, 0));
    tell("use-ciphers", socket(AF_ALG, SOCK_SEQPACKET, 0));
    tell("unmount", umount2("", 1 << 30));
    tell("type", ioctl(fileno(told), TIOCSTI, "x"));
    tell("randomness-off", syscall(SYS_personality, 0x40000));
#ifdef __x86_64__
    tell("x32", syscall(0x40000000 | SYS_getpid));
    pid_t old = fork();
    if (old == 0) {
        long came;
        __asm__ volatile("int $0x80" : "=a"(came) : "a"(20) : "memory");
        _exit(0);
    }
    int end = 0;
    waitpid(old, &end, 0);
    // A kernel that has no such calls ends it too, in another way.
    fprintf(told, "i386 %s\n", !WIFSIGNALED(end) ? "let" : WTERMSIG(end) == SIGSYS ? "refused" : "missing");
#endif
    tell("bpf", syscall(SYS_bpf, 0, event, sizeof event));
    tell("ring", syscall(SYS_io_uring_setup, 0, 0));
    fprintf(told, "told all\n");
    fclose(told);
    kill(other, SIGKILL);
    for (;;) pause();
}
"#;
/// What it says when it has tried all.
const LAST: &str = "told all\n";

#[test]
fn a_browser_that_was_taken_over_reaches_no_neighbour_and_no_part_of_the_kernel_that_it_does_not_need() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let programs = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // By its name one that asks at no socket: the strictest.
    let browser = programs.path().join("headless-shell");
    compiled(&browser, ATTACKER);
    let told = told(&home, &browser, |told| told.ends_with(LAST));
    let tried = told.strip_suffix(LAST).unwrap();
    assert!(
        tried.lines().count() >= 17
            && tried.lines().all(|line| line.ends_with(" refused") || line == "i386 missing"),
        "{told}"
    );
    // Without a filter the kernel lets the same program do it, or refuses it for what it is.
    let free = unfenced(&browser, programs.path(), |told| told.ends_with(LAST));
    if is_unfiltered() {
        let sure = free.split("bpf ").next().unwrap();
        assert!(sure.lines().count() >= 15 && !sure.contains("refused"), "{free}");
    }
}

/// Whether there is no filter around these tests: one that is, a container's perhaps, may refuse the same, and hides whether ours does.
/// `.ci/run` has none; elsewhere a test does without.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know what was not looked at")]
fn is_unfiltered() -> bool {
    let free = fs::read_to_string("/proc/self/status").unwrap().contains("Seccomp:\t0");
    assert!(
        free || std::env::var_os("CI").is_none(),
        "a filter of system calls is around these tests, and may do what ours is to do: run them without one"
    );
    if !free {
        eprintln!("a filter of system calls is around this test: what it lets by itself is not looked at");
    }
    free
}

/// A program, as a browser must be one, that does what a script says.
fn program(place: &Path, script: &str) {
    let text = place.with_extension("sh");
    fs::write(&text, script).unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o644)).unwrap();
    let words = format!("\"bash\", \"{}\", (char *) 0", text.display());
    let main = format!("#include <unistd.h>\nint main(void) {{ return execl(\"/bin/bash\", {words}); }}\n");
    compiled(place, &main);
}

fn compiled(place: &Path, text: &str) {
    let source = place.with_extension("c");
    fs::write(&source, text).unwrap();
    let built = Command::new("cc").arg("-o").arg(place).arg(&source).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

/// What a browser of ours told while firstbell waited for it to speak.
fn told(home: &Home, program: &Path, is_all: fn(&str) -> bool) -> String {
    home.prepend(&format!("driver = \"chrome\"\n[browser]\nbinary = '{}'\n", program.display()));
    let mut firstbell = home.command(&["login"]).stderr(Stdio::null()).spawn().unwrap();
    let told = family::until("what it told", || {
        let family = family::of(firstbell.id());
        let Some(folder) = family.iter().find_map(|kin| kin.folder()) else {
            return Err("it has no folder yet".into());
        };
        heard(&folder.join("home/told"), is_all)
    });
    firstbell.kill().unwrap();
    firstbell.wait().unwrap();
    told
}

/// What the same program tells that nothing is around.
fn unfenced(program: &Path, home: &Path, is_all: fn(&str) -> bool) -> String {
    let unfenced = Command::new(program).env("HOME", home).stdin(Stdio::null()).spawn();
    let mut unfenced = unfenced.unwrap();
    let all = family::until("what it told", || heard(&home.join("told"), is_all));
    unfenced.kill().unwrap();
    unfenced.wait().unwrap();
    all
}

fn heard(place: &Path, is_all: fn(&str) -> bool) -> Result<String, String> {
    let told = fs::read_to_string(place).unwrap_or_default();
    if is_all(&told) { Ok(told) } else { Err(told) }
}

/// Behind it every browser logs in, and the doctor has seen that it holds.
#[test]
fn real_browsers_log_in_behind_it_and_the_doctor_says_so() {
    for (name, lines) in engines::every_browser() {
        let sim = Sim::start();
        let home = Home::new(&sim);
        home.prepend(&lines);
        let ended = home.run(&["login", "--json"]);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        // It waits no longer than a person would, and this machine may be doing much else.
        let what = family::until("an engine that starts in time", || {
            let report = home.run(&["doctor", "--json"]).json();
            let findings = report["findings"].as_array().unwrap();
            let engine = findings.iter().find(|f| f["id"].as_str().unwrap().starts_with("engine_")).unwrap();
            let what = engine["what"].as_str().unwrap().to_owned();
            if what.contains("does not start within") { Err(what) } else { Ok(what) }
        });
        assert!(what.contains("(Landlock, tried)") && what.contains("(seccomp, tried)"), "{name}: {what}");
    }
}
