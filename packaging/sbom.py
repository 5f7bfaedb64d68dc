#!/usr/bin/env python3
"""Makes the bill of materials of a program as a CycloneDX 1.5 document: sbom.py PROGRAM OUT [TARGET].

It is made of what Cargo.lock holds and Cargo says of a build of both programs (build.sh), so it names what goes in and not what a
scanner finds. The same commit gives the same bytes: it has no serial number, and no time but SOURCE_DATE_EPOCH. What only takes part in building
(code that makes code, build scripts, and what is only below them) is there with the scope "excluded"; what only tests need is not.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
from urllib.parse import quote

ROOT = pathlib.Path(__file__).resolve().parent.parent


def told(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def purl(package: dict) -> str:
    kind = "cargo" if package["source"] else "generic"
    return f"pkg:{kind}/{quote(package['name'])}@{quote(package['version'], safe='.-_~')}"


def below(root: str, nodes: dict, linked: bool) -> set[str]:
    """What stands below a package: all that a build takes, or what is linked into the program only."""
    seen, left = set(), [root]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        for dependency in nodes[one]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            makes_code = dependency["pkg"] in MAKERS
            if None in kinds and not (linked and makes_code) or "build" in kinds and not linked:
                left.append(dependency["pkg"])
    return seen


def in_build(target: str) -> set[tuple[str, str]]:
    """Name and version of all that such a build takes. `cargo metadata` alone names crates that no feature turns on."""
    lines = told("cargo", "tree", "--locked", "--package=firstbell", "--package=kitesim", "--edges=normal,build",
                 "--prefix=none", "--format={p}", f"--target={target}").splitlines()
    return {(name, version.removeprefix("v")) for name, version in (line.split()[:2] for line in lines if line)}


def component(package: dict, checksums: dict, linked: set[str]) -> dict:
    one = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if package["id"] in linked else "excluded",
        "purl": purl(package),
    }
    if package["description"]:
        one["description"] = " ".join(package["description"].split())
    if package["license"]:
        # "A/B" is how it was written before SPDX expressions.
        one["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if package["source"]:
        # Of the packed crate, as the registry gave it.
        one["hashes"] = [{"alg": "SHA-256", "content": checksums[package["name"], package["version"]]}]
    return one


def sqlite(package: dict) -> dict:
    """SQLite itself, which is compiled in: what is told of holes in it goes by its own version."""
    header = pathlib.Path(package["manifest_path"]).parent / "sqlite3" / "sqlite3.h"
    version = re.search(r'^#define SQLITE_VERSION +"([0-9.]+)"', header.read_text(), re.MULTILINE)[1]
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/sqlite@{version}",
        "name": "sqlite",
        "version": version,
        "scope": "required",
        "licenses": [{"expression": "blessing"}],
        "cpe": f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*",
        "purl": f"pkg:generic/sqlite@{version}",
    }


def main() -> None:
    program, out = sys.argv[1:3]
    target = sys.argv[3] if len(sys.argv) > 3 else re.search("^host: (.*)$", told("rustc", "-vV"), re.MULTILINE)[1]
    metadata = json.loads(told("cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", target))
    packages = {package["id"]: package for package in metadata["packages"]}
    there = in_build(target)
    there = {i for i, p in packages.items() if (p["name"], p["version"]) in there}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"] if node["id"] in there}
    for node in nodes.values():
        node["deps"] = [dependency for dependency in node["deps"] if dependency["pkg"] in there]
    MAKERS.update(i for i, p in packages.items() if any("proc-macro" in t["kind"] for t in p["targets"]))
    checksums = {(one[0], one[1]): one[2] for one in LOCKED.findall((ROOT / "Cargo.lock").read_text())}
    root = next(i for i in metadata["workspace_members"] if packages[i]["name"] == program)

    taken, linked = below(root, nodes, False), below(root, nodes, True)
    components = [component(packages[i], checksums, linked) for i in taken - {root}]
    depends = {purl(packages[i]): {purl(packages[d["pkg"]]) for d in nodes[i]["deps"] if d["pkg"] in taken
               and {k["kind"] for k in d["dep_kinds"]} & {None, "build"}} for i in taken}
    for package in [packages[i] for i in taken if packages[i]["name"] == "libsqlite3-sys"]:
        components.append(sqlite(package))
        depends[purl(package)].add(components[-1]["purl"])
        depends[components[-1]["purl"]] = set()

    itself = component(packages[root], checksums, {root})
    itself["type"] = "application"
    del itself["scope"]
    about = {"component": itself, "properties": [{"name": "target", "value": target}]}
    if "SOURCE_DATE_EPOCH" in os.environ:
        moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
        about["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": about,
        "components": sorted(components, key=lambda one: one["bom-ref"]),
        "dependencies": [{"ref": ref, "dependsOn": sorted(depends[ref])} for ref in sorted(depends)],
    }
    pathlib.Path(out).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


# A crate of the lock file that came from elsewhere. Read by hand, because Pythons before 3.11 do not know TOML.
LOCKED = re.compile(r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "([0-9a-f]{64})"')

# Crates that make code while something else is compiled.
MAKERS: set[str] = set()

if __name__ == "__main__":
    main()
