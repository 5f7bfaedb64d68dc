//! DEPENDENCIES.md and the Cargo.toml files name the same crates, each with its reason: nothing comes in unwritten.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A section of the page, and the manifest that it is about.
const MANIFESTS: [(&str, &str); 4] = [
    ("firstbell-core", "crates/firstbell-core/Cargo.toml"),
    ("firstbell", "crates/firstbell/Cargo.toml"),
    ("kitesim", "crates/kitesim/Cargo.toml"),
    ("fuzz", "fuzz/Cargo.toml"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn table(manifest: &str) -> toml::Table {
    toml::from_str(&fs::read_to_string(root().join(manifest)).unwrap()).unwrap()
}

/// The crates that a manifest names, of every kind and for every target.
fn named(manifest: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        found.extend(
            manifest.get(kind).and_then(|t| t.as_table()).into_iter().flat_map(|t| t.keys().cloned()),
        );
    }
    for target in manifest.get("target").and_then(|t| t.as_table()).into_iter().flatten() {
        found.extend(named(target.1.as_table().unwrap()));
    }
    found
}

/// The rows of each section: a crate and its further cells.
fn written(page: &str) -> BTreeMap<&str, BTreeMap<&str, Vec<&str>>> {
    let sections = page.split("\n## ").skip(1).map(|section| {
        let (title, body) = section.split_once('\n').unwrap();
        let mut rows = BTreeMap::new();
        for line in body.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| crate |")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert!(rows.insert(cells[0], cells[1..].to_vec()).is_none(), "{title} has {} twice", cells[0]);
        }
        (title.trim(), rows)
    });
    sections.collect()
}

#[test]
fn every_crate_that_is_named_has_its_reason_and_no_other_one() {
    let page = fs::read_to_string(root().join("DEPENDENCIES.md")).unwrap();
    let written = written(&page);
    assert_eq!(written.len(), MANIFESTS.len(), "a section for each manifest: {:?}", written.keys());
    for (section, manifest) in MANIFESTS {
        let named = named(&table(manifest));
        let rows = &written[section];
        for name in &named {
            assert!(rows.contains_key(name.as_str()), "{manifest} names {name}, DEPENDENCIES.md does not");
        }
        for (name, cells) in rows {
            assert!(named.contains(*name), "DEPENDENCIES.md has {name}, {manifest} does not name it");
            let is_whole = cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty());
            assert!(
                is_whole,
                "{name} ({section}): purpose, reason, keeper and licence, what it brings: {cells:?}"
            );
        }
    }
}

/// A version in the workspace that no member uses is neither locked nor looked at by anybody.
#[test]
fn every_version_of_the_workspace_is_used() {
    let workspace = table("Cargo.toml");
    let used: BTreeSet<String> = MANIFESTS.iter().flat_map(|(_, manifest)| named(&table(manifest))).collect();
    for name in workspace["workspace"]["dependencies"].as_table().unwrap().keys() {
        assert!(used.contains(name), "the workspace has a version of {name}, and no crate uses it");
    }
}

#[test]
fn the_reader_of_manifests_sees_every_kind() {
    let manifest = "[dependencies]\na = '1'\n[dev-dependencies]\nb = '1'\n[build-dependencies]\nc = '1'\n\
        [target.'cfg(unix)'.dependencies]\nd = { version = '1' }\n";
    let found: Vec<String> = named(&toml::from_str(manifest).unwrap()).into_iter().collect();
    assert_eq!(found, ["a", "b", "c", "d"]);
}
