//! What is wrong with a sink's table is said with its line; who may read a file is the owner's word; a secret may lie in the vault.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use firstbell::sinks::SinkConfig;
use firstbell::written::{Faults, Section};
use rustix::process::geteuid;

use crate::desk::{Desk, play, sink, token};
use crate::redis::{PASSWORD, Redis};
use crate::support::{Home, Sim};

fn faults(text: &str) -> Vec<String> {
    let faults = Faults::new("c", text);
    let _read = SinkConfig::read("a", Section::root(text, faults.clone()));
    faults.lines()
}

#[test]
fn what_cannot_work_is_a_fault() {
    for (text, want) in [
        ("kind = \"file\"\npath = \"/t\"\nmode = \"0644\"", "lets everybody on this machine read the token"),
        ("kind = \"file\"\npath = \"/t\"\nmode = \"0640\"", "needs the group's name"),
        ("kind = \"file\"\npath = \"/t\"\nmode = \"4600\"", "must be \"0600\""),
        ("kind = \"file\"\npath = \"/t\"\ntemplate = \"{token}\"", "names {token}, which is not known"),
        ("kind = \"file\"\npath = \"/t\"\nformat = \"template\"", "there is no template"),
        ("kind = \"file\"\npath = \"/t\"\nretry_s = 0", "1 or more"),
        ("kind = \"file\"\npath = \"/t\"\nname = \"A b\"", "must have 1 to 32"),
        ("kind = \"redis\"", "needs one of address"),
        ("kind = \"redis\"\naddress = \"10.0.0.1:6379\"", "over encryption only"),
        ("kind = \"redis\"\naddress = \"redis\"", "must be a host and a port"),
        ("kind = \"redis\"\nsocket = \"/s\"\npassword = { vault = true }", "needs a name"),
        ("kind = \"postgres\"\nurl = { env = \"U\" }\ntable = \"a;b\"", "must be 1 to 60"),
        ("kind = \"postgres\"\nurl = { env = \"U\" }\ntable = \"a.b.c\"", "must be a table's name"),
        ("kind = \"http\"\nurl = \"http://a.example/\"\nkey = { env = \"K\" }", "begins with https"),
        ("kind = \"http\"\nurl = \"https://u:p@a.example/\"\nkey = { env = \"K\" }", "holds no password"),
        ("kind = \"vault\"\naddress = \"http://v.example:8200\"\ntoken = { env = \"T\" }", "must be https"),
        (
            "kind = \"vault\"\naddress = \"https://v\"\npath = \"../sys\"\ntoken = { env = \"T\" }",
            "mount and path",
        ),
        ("kind = \"kubernetes\"\nserver = \"https://k\"\ntoken = { env = \"T\" }", "needs a namespace"),
        ("kind = \"kubernetes\"\nsecret = \"Kite\"", "must be a name of Kubernetes'"),
        ("kind = \"hook\"\ncommand = [\"on-token\"]", "whole path"),
        ("kind = \"hook\"\ncommand = [\"/x\"]\nform = \"argument\"", "is not known; known: stdin, fd"),
        ("kind = \"hook\"\ncommand = [\"/x\"]\ntimeout_s = 11", "at most 10"),
        ("kind = \"hook\"\ncommand = [\"/x\"]\nshell = true", "shell is not known"),
    ] {
        let lines = faults(text);
        assert!(lines.len() == 1 && lines[0].contains(want), "{text}\n{lines:?}");
    }
    assert_eq!(faults("kind = \"redis\"\naddress = \"r.example:6380\"\ntls = true"), [""; 0]);
    assert_eq!(faults("kind = \"kubernetes\""), [""; 0]);
}

#[test]
fn a_file_is_given_the_mode_and_the_owner_that_are_asked_for() {
    let (folder, desk) = (tempfile::tempdir().unwrap(), Desk::new());
    let path = folder.path().join("token");
    let text = |more: &str| format!("kind = \"file\"\npath = \"{}\"\n{more}", path.display());
    let meta = || fs::metadata(&path).unwrap();
    // A group that its own user may always give.
    let group = nix_group();
    let shared = sink(&text(&format!("mode = \"0640\"\ngroup = \"{group}\"")));
    play(async { desk.deliver(&shared, &token(1, 0)).await }).unwrap();
    assert_eq!(meta().mode() & 0o777, 0o640);
    let given = sink(&text("owner = \"nobody\""));
    let outcome = play(async { desk.deliver(&given, &token(2, 0)).await });
    if geteuid().is_root() {
        outcome.unwrap();
        assert!(meta().uid() > 0 && meta().mode() & 0o777 == 0o600);
        play(async { desk.deliver(&given, &token(3, 0)).await }).unwrap();
    } else {
        assert!(outcome.unwrap_err().cure().contains("Only root"));
    }
    let nobody = sink(&text("owner = \"no-such-user\""));
    let failure = play(async { desk.check(&nobody).await }).unwrap_err();
    assert!(failure.to_string().contains("there is no user no-such-user"), "{failure}");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing but the token");
}

/// Whoever may write to the folder may lay anything at the file's place: nothing of it is followed, waited for or read without end.
#[test]
fn what_somebody_laid_in_the_place_of_the_file_is_replaced() {
    let (folder, desk) = (tempfile::tempdir().unwrap(), Desk::new());
    let path = folder.path().join("token");
    let given = sink(&format!("kind = \"file\"\npath = \"{}\"", path.display()));
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "theirs").unwrap();
    let fifo = |at: &Path| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let laid: [&dyn Fn(&Path); 3] = [
        &|at| std::os::unix::fs::symlink("/dev/zero", at).unwrap(),
        &|at| std::os::unix::fs::symlink(&elsewhere, at).unwrap(),
        &fifo,
    ];
    for (number, lay) in (1..).zip(laid) {
        let _ = fs::remove_file(&path);
        lay(&path);
        play(async { desk.deliver(&given, &token(number, 0)).await }).unwrap();
        let meta = fs::symlink_metadata(&path).unwrap();
        assert!(meta.is_file() && meta.len() < 1_000, "{meta:?}");
    }
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
}

#[test]
fn outside_of_a_cluster_kubernetes_must_be_told_where_it_is() {
    let failure = play(async { Desk::new().check(&sink("kind = \"kubernetes\"")).await }).unwrap_err();
    assert!(failure.to_string().contains("is not told where its cluster is"), "{failure}");
    assert!(failure.cure().contains("server, token and namespace"), "{failure:?}");
}

/// The name of this process' own group.
fn nix_group() -> String {
    let gid = rustix::process::getegid().as_raw();
    let groups = fs::read_to_string("/etc/group").unwrap();
    let line = groups.lines().find(|line| line.split(':').nth(2) == Some(&gid.to_string())).unwrap();
    line.split(':').next().unwrap().to_owned()
}

#[test]
fn a_sink_s_secret_lies_in_the_vault() {
    let (sim, redis) = (Sim::start(), Redis::start());
    let home = Home::new(&sim);
    let lines = format!(
        "[[account.main.sink]]\nname = \"cache\"\nkind = \"redis\"\nsocket = \"{}\"\npassword = {{ vault = true }}",
        redis.socket().display()
    );
    home.configure(&sim, &lines);
    let listed = || home.run(&["secrets", "list", "--sink", "main/cache"]).stdout;
    assert!(listed().contains("missing"), "{}", listed());
    let ended = home.login("http");
    assert!(ended.code == 7 && ended.stdout.contains("secrets set --sink main/cache password"), "{ended:?}");
    let set = home.run_with(&["secrets", "set", "--sink", "main/cache", "password"], PASSWORD);
    assert_eq!(set.code, 0, "{set:?}");
    assert!(listed().contains("there"), "{}", listed());
    assert_eq!(home.run(&["secrets", "list", "--sink", "main/other"]).code, 2);
    sim.settings(&serde_json::json!({ "totp_reuse": true }));
    let ended = home.login("http");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(redis.text("firstbell:main").unwrap().contains("\"generation\":2"));
}
