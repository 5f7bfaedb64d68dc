"""Builds both packages as a registry would get them, and unpacks them where a program would have them."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from stage import ROOT

BUILT = ROOT / "target" / "clients"
MODULES = ROOT / "target" / "node" / "node_modules"


def build():
    """The wheel and the tarball, from copies: the tree stays clean."""
    shutil.rmtree(BUILT, ignore_errors=True)
    BUILT.mkdir(parents=True)
    copy = BUILT / "source"
    left_out = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "node_modules", "tests", "test")
    shutil.copytree(ROOT / "clients" / "python", copy / "python", ignore=left_out)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    # What builds it is pinned in requirements.txt; nothing is fetched here.
    _run([*pip, "--no-deps", "--no-index", "--no-build-isolation", "-w", str(BUILT), str(copy / "python")])
    _run(["npm", "pack", "--silent", "--pack-destination", str(BUILT), str(ROOT / "clients" / "node")])
    shutil.rmtree(copy)
    return next(BUILT.glob("*.whl")), next(BUILT.glob("*.tgz"))


def unpack(folder):
    """Installs what was built: gives the folder for PYTHONPATH, and one in which JavaScript programs find both packages."""
    wheel, tarball = next(BUILT.glob("*.whl"), None), next(BUILT.glob("*.tgz"), None)
    if not wheel or not tarball:
        wheel, tarball = build()
    python, node = Path(folder) / "python", Path(folder) / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    _run([*pip, "--target", str(python), str(wheel)])
    modules = node / "node_modules"
    modules.mkdir(parents=True)
    with tarfile.open(tarball) as packed:
        packed.extractall(modules)
    (modules / "package").rename(modules / "firstbell")
    for entry in MODULES.iterdir():
        if not entry.name.startswith("."):
            os.symlink(entry, modules / entry.name)
    return python, node


def _run(command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    print(*build(), sep="\n")
