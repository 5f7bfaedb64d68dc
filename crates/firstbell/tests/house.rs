//! The house rules as tests: imports run downward, core stays pure, files stay small, secrets are opened in a listed few.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that is longer than this has become two.
const LINES_MAX: usize = 400;

/// The floors of each crate, lowest first. A room imports from floors below its own only; rooms of one floor do not know
/// one another. ARCHITECTURE.md draws the same picture.
const CORE: &[&[&str]] = &[
    &["calendar", "secret", "origin", "obstacle"],
    &["failure", "incident"],
    &["totp", "token", "plan", "budget"],
    &["sight", "broker", "event", "skeleton"],
    &["answer", "brokers", "invitation", "recipe", "state", "schedule"],
    &["walk", "decide", "outbox"],
    &["notice"],
    &["days"],
];
const FIRSTBELL: &[&[&str]] = &[
    &[
        "age",
        "censor",
        "halt",
        "landing",
        "ports",
        "program",
        "record",
        "signature",
        "terminal",
        "textfile",
        "tls",
        "written",
    ],
    &["board", "clock", "database", "deadman", "http", "leap", "ledger", "shape", "tally", "witness"],
    &["album", "calendarfile", "codes", "drivers", "login", "planfile", "returns", "secrets", "stores"],
    &["alerts", "sinks"],
    &["chat", "config"],
    &["hands"],
    &["caller", "checks", "selftest", "setup", "standing"],
    &["keeper"],
    &["courier", "crier", "serve"],
    &["doctor"],
    &["cli"],
    &["main"],
];
const KITESIM: &[&[&str]] = &[
    &["chance", "clock", "envelope", "frames", "habits", "html", "names", "totp"],
    &["account", "fields", "landing", "limits", "market", "settings", "when"],
    &["faults"],
    &["desk", "held", "scenario", "seen"],
    &["rules"],
    &["world"],
    &["mishap"],
    &["front", "wire"],
    &["api", "hosts", "inspect", "site", "ticker", "tls"],
    &["stage"],
    &["main"],
];

/// What core may depend on, each with its reason. Anything that waits, calls out, reads files or the clock is not here.
const CORE_DEPENDENCIES: [(&str, &str); 10] = [
    ("data-encoding", "base32 of TOTP seeds"),
    ("hmac", "TOTP"),
    ("jiff", "moments as values; its clock is forbidden by core's clippy.toml"),
    ("serde", "reading the plan and replies"),
    ("serde_json", "reading replies"),
    ("sha1", "TOTP"),
    ("sha2", "TOTP, and the checksum of the exchange"),
    ("toml", "reading the plan"),
    ("url", "origins and redirects, parsed and never split"),
    ("zeroize", "wiping secrets"),
];

/// The only files that may open a secret, each with where it goes.
const EXPOSE: &[(&str, &str)] = &[
    (
        "crates/firstbell-core/src/brokers/kite/calls.rs",
        "into the exchange's form and the Authorization header",
    ),
    ("crates/firstbell-core/src/brokers/kite/redirect.rs", "reading the redirect's parts"),
    ("crates/firstbell-core/src/recipe.rs", "finding secrets where their owner kept them before"),
    ("crates/firstbell-core/src/secret.rs", "its own definition"),
    ("crates/firstbell-core/src/secret/refused.rs", "programs that must not compile, and their twins"),
    ("crates/firstbell-core/src/token.rs", "checking a token's form"),
    ("crates/firstbell-core/src/totp.rs", "reading the seed"),
    ("crates/firstbell-core/src/skeleton/masks.rs", "masking, so that it does not appear"),
    ("crates/firstbell-core/src/skeleton/mod.rs", "reading what the script told of a page"),
    ("crates/firstbell-core/src/walk/code.rs", "seeing that a source of codes does not repeat itself"),
    ("crates/firstbell-core/src/walk/mod.rs", "reading the host of an address that is not the broker's"),
    ("crates/firstbell/src/age.rs", "into the cipher, and reading an identity"),
    ("crates/firstbell/src/alerts/provider.rs", "reading what a provider answered"),
    ("crates/firstbell/src/alerts/request.rs", "into the address, the header or the signature of a message"),
    ("crates/firstbell/src/alerts/smtp.rs", "into the mail server's log-in"),
    ("crates/firstbell/src/alerts/template.rs", "into its place in a gateway's request"),
    (
        "crates/firstbell/src/censor.rs",
        "into keyed hashes, by which it is held back where it is about to be shown",
    ),
    ("crates/firstbell/src/chat/alarm.rs", "reading the day of the last alarm"),
    ("crates/firstbell/src/chat/clerk.rs", "reading what a paired person wrote"),
    ("crates/firstbell/src/chat/pairing.rs", "into the vault, onto the owner's terminal, and comparing it"),
    ("crates/firstbell/src/checks.rs", "reading our own address out of a stranger's answer"),
    ("crates/firstbell/src/alerts/kind.rs", "reading the host of an address that is a secret"),
    (
        "crates/firstbell/src/cli/exec/child.rs",
        "into the environment or a descriptor of the program that asked for it",
    ),
    ("crates/firstbell/src/cli/exec/mask.rs", "taking it out of what a program writes"),
    ("crates/firstbell/src/cli/say.rs", "to standard output, for firstbell token"),
    ("crates/firstbell/src/codes/endpoint.rs", "seeing that what came is six digits"),
    ("crates/firstbell/src/database/mod.rs", "into the connection to the database"),
    ("crates/firstbell/src/drivers/http.rs", "into the login's own forms"),
    ("crates/firstbell/src/drivers/typing.rs", "as key events into the proven page"),
    (
        "crates/firstbell/src/drivers/worker/message.rs",
        "onto the socket to the process that types it, and back from the one that saw it",
    ),
    ("crates/firstbell/src/http.rs", "into the request"),
    ("crates/firstbell/src/secrets/file.rs", "a test of what was read"),
    ("crates/firstbell/src/selftest.rs", "reading when the last test was"),
    ("crates/firstbell/src/serve/hall.rs", "into the answer to a program that may read it"),
    ("crates/firstbell/src/serve/keys.rs", "into its hash, and reading the hashes of keys"),
    ("crates/firstbell/src/setup/key_check.rs", "reading where Kite's login page leads"),
    ("crates/firstbell/src/setup/key_place.rs", "onto the input of what keeps the key"),
    ("crates/firstbell/src/setup/look.rs", "seeing whether an answer is what was asked for"),
    ("crates/firstbell/src/setup/picture.rs", "a test of what was read"),
    ("crates/firstbell/src/setup/proof.rs", "comparing the code of the owner's phone"),
    ("crates/firstbell/src/setup/seed.rs", "telling a key from an address and the path of a picture"),
    ("crates/firstbell/src/shape.rs", "into the forms that programs read"),
    ("crates/firstbell/src/signature.rs", "into the signature of a request"),
    ("crates/firstbell/src/sinks/file.rs", "into the sink's file"),
    ("crates/firstbell/src/sinks/hook.rs", "onto the input of the owner's program"),
    (
        "crates/firstbell/src/sinks/kubernetes.rs",
        "into the cluster's Secret, and who we are to it into the header",
    ),
    ("crates/firstbell/src/sinks/postgres.rs", "into the table's row"),
    ("crates/firstbell/src/sinks/resp.rs", "into the commands to Redis"),
    ("crates/firstbell/src/sinks/vault.rs", "into Vault's request, and reading what it holds"),
    ("crates/firstbell/src/stores/contents.rs", "into the vault's text, which is sealed then"),
    (
        "crates/firstbell/src/stores/identity.rs",
        "into the identity's file, and out of one under a passphrase",
    ),
    ("crates/firstbell/src/stores/key.rs", "into the key file"),
    ("crates/firstbell/src/stores/seal.rs", "into the cipher"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no sources");
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The top-level room of a file: `crates/x/src/cli/say.rs` is in `cli`.
fn room(file: &str) -> &str {
    let inside = file.split("/src/").nth(1).unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The rooms that a file names behind `crate::`.
fn imports(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => drop(found.insert(word(after))),
            Some(list) => {
                let list = list.split("};").next().unwrap();
                let mut depth = 0;
                for part in list.split_inclusive(['{', '}', ',']) {
                    if depth == 0 {
                        found.insert(word(part.trim()));
                    }
                    depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                }
            }
        }
    }
    found.remove("");
    found
}

fn floor(floors: &[&[&str]], room: &str) -> Option<usize> {
    floors.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn imports_run_downward() {
    for (folder, floors) in [
        ("crates/firstbell-core/src", CORE),
        ("crates/firstbell/src", FIRSTBELL),
        ("crates/kitesim/src", KITESIM),
    ] {
        for (file, text) in sources(folder) {
            let own = room(&file);
            if own == "lib" {
                continue;
            }
            let here =
                floor(floors, own).unwrap_or_else(|| panic!("{file}: the room {own} stands on no floor"));
            for other in imports(&text).iter().filter(|other| *other != own) {
                let there =
                    floor(floors, other).unwrap_or_else(|| panic!("{file}: {other} stands on no floor"));
                assert!(there < here, "{file} imports {other}, which does not stand below {own}");
            }
        }
    }
}

/// A member of a shelf that imports its own shelf draws an arrow back up; siblings it may know.
#[test]
fn members_do_not_import_their_own_shelf() {
    for shelf in ["alerts", "codes", "drivers", "secrets", "sinks", "stores"] {
        let folder = format!("crates/firstbell/src/{shelf}");
        let members: Vec<_> = sources(&folder).into_iter().filter(|(f, _)| !f.ends_with("/mod.rs")).collect();
        for (file, text) in members {
            let inside = file.strip_prefix(&format!("{folder}/")).unwrap();
            let shelf_path = if inside.contains('/') { "super::super::" } else { "super::" };
            let code = text.split("#[cfg(test)]").next().unwrap();
            for after in code.split(&format!("use {shelf_path}")).skip(1) {
                let lower = after.trim_start_matches('{').starts_with(|c: char| c.is_ascii_lowercase());
                assert!(lower, "{file} imports {} from its shelf", after.lines().next().unwrap());
            }
            assert!(!code.contains(&format!("crate::{shelf}::")), "{file} imports its own shelf by name");
        }
    }
}

#[test]
fn the_reader_of_imports_reads_them() {
    let text = "use crate::{api, front::{a, b}, wire};\nuse crate::world::{Truth, World};\nlet x = crate::clock::now();";
    let found: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(found, ["api", "clock", "front", "wire", "world"]);
}

#[test]
fn a_map_defines_nothing() {
    for lib in ["crates/firstbell-core/src/lib.rs", "crates/firstbell/src/lib.rs"] {
        let text = fs::read_to_string(root().join(lib)).unwrap();
        for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("//")) {
            let is_map = (line.starts_with("pub mod ") || line.starts_with("mod ")) && line.ends_with(';');
            assert!(is_map, "{lib} is a map and defines nothing: {line}");
        }
    }
}

fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let all = ["dependencies", "dev-dependencies", "build-dependencies"];
    all.iter().filter_map(|key| table.get(*key)?.as_table()).flat_map(|deps| deps.keys().cloned()).collect()
}

#[test]
fn core_depends_on_nothing_that_does_things() {
    let allowed: Vec<&str> = CORE_DEPENDENCIES.iter().map(|(name, _)| *name).collect();
    let found = dependencies("crates/firstbell-core/Cargo.toml");
    for name in &found {
        assert!(
            allowed.contains(&name.as_str()),
            "firstbell-core gained {name}, which is not in the written list"
        );
    }
    assert_eq!(found.len(), allowed.len(), "the written list has what core does not use: {found:?}");
}

#[test]
fn the_simulator_depends_on_none_of_ours() {
    let found = dependencies("crates/kitesim/Cargo.toml");
    assert!(!found.iter().any(|name| name.starts_with("firstbell")), "{found:?}");
    for (file, text) in sources("crates/kitesim") {
        assert!(
            !text.contains("firstbell_core") && !text.contains("firstbell::"),
            "{file} reaches into firstbell"
        );
    }
}

#[test]
fn files_are_short_and_open_with_their_sentence() {
    for folder in ["crates/firstbell-core", "crates/firstbell", "crates/kitesim"] {
        for (file, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= LINES_MAX, "{file} has {lines} lines");
            let opening: String =
                text.lines().map_while(|l| l.strip_prefix("//! ")).collect::<Vec<_>>().join(" ");
            let is_sentence = opening.contains('.') && opening.len() > 20;
            assert!(is_sentence, "{file} does not open with a sentence that says what it is for");
        }
    }
}

#[test]
fn secrets_are_opened_in_the_listed_files_only() {
    let listed: BTreeSet<&str> = EXPOSE.iter().map(|(file, _)| *file).collect();
    let mut opens = BTreeSet::new();
    let all = sources("crates/firstbell-core/src").into_iter().chain(sources("crates/firstbell/src"));
    for (file, text) in all {
        if text.contains(".expose()") || text.contains("::expose") {
            assert!(listed.contains(file.as_str()), "{file} opens a secret and is not in the list");
            opens.insert(file);
        }
    }
    for file in listed {
        assert!(opens.contains(file), "{file} is listed and opens no secret any more");
    }
}

#[test]
fn names_say_what_a_thing_is() {
    for folder in ["crates/firstbell-core/src", "crates/firstbell/src", "crates/kitesim/src"] {
        for (file, text) in sources(folder) {
            for word in ["util", "helper", "manager", "common"] {
                assert!(!file.contains(word), "{file}: {word} says nothing");
            }
            assert!(!text.contains("fn get_"), "{file}: no get_");
        }
    }
}

#[test]
fn the_repository_names_nobody_s_home() {
    for folder in ["crates", "evidence", "bench"] {
        for (file, text) in sources_of_any_kind(folder) {
            for place in ["/home/", "/root/"] {
                assert!(!text.contains(place) || file.ends_with("house.rs"), "{file} names {place}");
            }
        }
    }
}

fn sources_of_any_kind(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((path.display().to_string(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found
}
