//! Hooks: what they find around them, and what becomes of one that hangs or fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::desk::{Desk, play, sink, token};

fn hook(folder: &Path, script: &str, lines: &str) -> String {
    let program = folder.join("hook");
    fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}\n", folder.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("kind = \"hook\"\ncommand = [\"{}\", \"word\"]\n{lines}", program.display())
}

#[test]
fn a_hook_finds_the_token_on_its_input_and_nowhere_else() {
    for (form, input) in [("stdin", "cat > given"), ("fd", "cat <&$FIRSTBELL_FD > given; cat > empty")] {
        let (folder, token) = (tempfile::tempdir().unwrap(), token(7, 0));
        let script = format!(
            "tr '\\0' '\\n' < /proc/$$/environ > environ\ntr '\\0' '\\n' < /proc/$$/cmdline > cmdline\n{input}\necho said; echo said >&2"
        );
        let text = hook(folder.path(), &script, &format!("form = \"{form}\"\nformat = \"env\"\n"));
        play(async { Desk::new().deliver(&sink(&text), &token).await }).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let access = token.access.secret().expose();
        assert_eq!(read("given"), format!("KITE_API_KEY=key\nKITE_ACCESS_TOKEN={access}\n"));
        assert!(!read("environ").contains(access) && !read("cmdline").contains(access));
        let mut names: Vec<String> =
            read("environ").lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
        names.retain(|name| !["PATH", "HOME", "LANG"].contains(&name.as_str()));
        names.sort();
        let own = ["FIRSTBELL_ACCOUNT", "FIRSTBELL_FD", "FIRSTBELL_GENERATION"];
        let own: Vec<_> = own.into_iter().filter(|name| form == "fd" || *name != "FIRSTBELL_FD").collect();
        assert_eq!(names, own);
        assert!(read("environ").contains("FIRSTBELL_GENERATION=7\n"));
        if form == "fd" {
            assert_eq!(read("empty"), "");
        }
    }
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let text = hook(folder.path(), "sleep 300 &\necho $$ $! > ids\nwait", "timeout_s = 1\n");
    let failure = play(async { Desk::new().deliver(&sink(&text), &token(1, 0)).await }).unwrap_err();
    assert!(failure.to_string().contains("did not end within 1 s"), "{failure}");
    let ids = fs::read_to_string(folder.path().join("ids")).unwrap();
    assert_eq!(ids.split_whitespace().count(), 2);
    crate::daemon::until("both are gone", || {
        // One that nobody has waited for yet is as good as gone.
        let lives = |id: &str| {
            let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            !status.is_empty() && !status.contains(") Z ")
        };
        if ids.split_whitespace().any(lives) { Err(ids.clone()) } else { Ok(()) }
    });
}

#[test]
fn what_a_hook_says_when_it_fails_is_repeated_nowhere() {
    let (folder, token) = (tempfile::tempdir().unwrap(), token(1, 0));
    let text = hook(folder.path(), "cat | tee /dev/stderr\nexit 3", "");
    let failure = play(async { Desk::new().deliver(&sink(&text), &token).await }).unwrap_err();
    let said = format!("{failure} {} {failure:?}", failure.cure());
    assert!(said.contains("exit status: 3") && !said.contains(token.access.secret().expose()), "{said}");
}
