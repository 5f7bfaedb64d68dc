#!/usr/bin/env python3
"""Reads bills of materials as a stranger would: sbom.py FIRSTBELL.json KITESIM.json. They are well formed, whole, of the shipped
build only, and agree with the lock file and with DEPENDENCIES.md."""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOCK = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]


def tree(program: str, edges: str, target: str) -> set[tuple[str, str]]:
    said = subprocess.run(
        ["cargo", "tree", "--locked", "-p", program, "-e", edges, "--prefix", "none", "--format", "{p}", "--target", target],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {tuple(line.split()[:2]) for line in said.splitlines() if line}


def well_formed(document: dict) -> None:
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.5", 1)
    assert document["metadata"]["component"]["type"] == "application"
    refs = [one["bom-ref"] for one in document["components"]] + [document["metadata"]["component"]["bom-ref"]]
    assert len(refs) == len(set(refs)), "a reference that stands for two"
    for one in document["components"]:
        assert one["type"] == "library" and one["name"] and one["version"] and one["scope"] in ("required", "excluded"), one
        assert re.fullmatch(r"pkg:(cargo|generic)/[a-z0-9._-]+@[A-Za-z0-9.%~-]+", one["purl"], re.IGNORECASE), one["purl"]
        words = re.findall(r"[A-Za-z0-9.+-]+", one["licenses"][0]["expression"])
        assert words and all(word in SPDX or word in ("OR", "AND", "WITH") for word in words), one["licenses"]
        assert all(re.fullmatch("[0-9a-f]{64}", h["content"]) and h["alg"] == "SHA-256" for h in one.get("hashes", []))
    assert sorted(d["ref"] for d in document["dependencies"]) == sorted(refs), "a node for each component"
    assert all(ref in refs for d in document["dependencies"] for ref in d["dependsOn"])


def whole(document: dict, program: str) -> None:
    target = next(p["value"] for p in document["metadata"]["properties"] if p["name"] == "target")
    found = {(one["name"], "v" + one["version"]): one for one in document["components"]}
    own = (program, "v" + document["metadata"]["component"]["version"])
    missing = tree(program, "normal", target) - set(found) - {own}
    assert not missing, f"{program}: not in its bill of materials: {missing}"
    # What tests need and a build does not.
    built = tree("firstbell", "normal,build", target) | tree("kitesim", "normal,build", target)
    beyond = (tree("firstbell", "all", target) | tree("kitesim", "all", target)) - built
    assert beyond, "nothing is for tests only: this looks at nothing"
    assert not beyond & set(found), f"{program}: for tests only: {beyond & set(found)}"
    checksums = {(p["name"], "v" + p["version"]): p.get("checksum") for p in LOCK}
    for key, one in found.items():
        if one["purl"].startswith("pkg:cargo/"):
            assert one["hashes"][0]["content"] == checksums[key], key


def as_written(document: dict) -> None:
    """The crates that DEPENDENCIES.md says firstbell is made of are linked into it."""
    section = (ROOT / "DEPENDENCIES.md").read_text().split("\n## firstbell\n")[1].split("\nIn tests")[0]
    linked = {one["name"] for one in document["components"] if one["scope"] == "required"}
    written = re.findall(r"^\| ([a-z0-9_-]+) \|", section, re.MULTILINE)
    written.remove("crate")
    assert len(written) > 20 and set(written) <= linked, set(written) - linked
    assert "sqlite" in linked, "SQLite is compiled in"


SPDX = {"0BSD", "Apache-2.0", "LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "Unicode-3.0",
        "Unlicense", "Zlib", "BSL-1.0", "CC0-1.0", "blessing", "GPL-2.0-only", "LGPL-2.1-or-later"}

for path, program in zip(sys.argv[1:3], ("firstbell", "kitesim"), strict=True):
    document = json.loads(pathlib.Path(path).read_text())
    well_formed(document)
    whole(document, program)
    if program == "firstbell":
        as_written(document)
    print(f"{program}: {len(document['components'])} components")
