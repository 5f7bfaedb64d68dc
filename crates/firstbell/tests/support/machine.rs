//! Machines that give less than this one: a user namespace around a command, in which the kernel makes no more namespaces of
//! some kinds. The network stays the machine's own, so that the simulator is reached as ever.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{getegid, geteuid};

use crate::support::Ended;

/// Waits until its user is known in the new namespace, takes from it what is to be missing, and gives up the rights to do so.
const ENTER: &str = r#"
    echo ready; read -r go || exit 98
    for kind in $MISSING; do echo 0 > "/proc/sys/user/max_${kind}_namespaces" || exit 98; done
    unset MISSING
    exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@" < /dev/null
"#;

/// Runs a command to its end where the kernel makes no namespaces of these kinds (`mnt`, `user` …). It keeps its user: root
/// stays one who may become another.
pub fn run_without(kinds: &[&str], inner: &Command) -> Ended {
    let mut command = Command::new("unshare");
    command.args(["--user", "--keep-caps", "sh", "-c", ENTER, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("MISSING", kinds.join(" "));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("unshare (util-linux) is there");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "this machine gives no user namespace, which these tests are made of");
    let place = format!("/proc/{}", child.id());
    let map =
        |own: u32| if geteuid().is_root() { format!("0 0 {}", u32::MAX) } else { format!("{own} {own} 1") };
    if !geteuid().is_root() {
        write(&format!("{place}/setgroups"), "deny");
    }
    write(&format!("{place}/uid_map"), &map(geteuid().as_raw()));
    write(&format!("{place}/gid_map"), &map(getegid().as_raw()));
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut said = String::new();
    let reads = std::thread::spawn(move || stdout.read_to_string(&mut said).map(|_| said));
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap_or(-1);
    assert!(code != 98, "nothing could be taken from the namespace: {stderr}");
    Ended { code, stdout: reads.join().unwrap().unwrap(), stderr }
}

fn write(file: &str, text: &str) {
    fs::write(file, text).unwrap_or_else(|e| panic!("{file}: {e}"));
}

/// Builds a program in this folder that becomes `real`, with an argument and a variable more: a browser whose sandbox somebody
/// else turned off. A script would not be taken for a browser.
pub fn unconfined(
    folder: &Path,
    real: &str,
    (argument, variable): (Option<&str>, &str),
) -> std::path::PathBuf {
    // Its name says what it can do without.
    let path = folder.join(Path::new(real).file_name().unwrap());
    let source = format!(
        "use std::os::unix::process::CommandExt;\n\
         fn main() {{\n\
             let arguments = std::env::args_os().skip(1).chain({argument:?}.map(Into::into));\n\
             let error = std::process::Command::new({real:?}).args(arguments).env({variable:?}, \"1\").exec();\n\
             panic!(\"{{error}}\");\n\
         }}\n",
    )
    .replace("None.map", "None::<&str>.map");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut child = Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", "unconfined", "-", "-o"])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("the compiler that built this test is there");
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{source}");
    path
}
