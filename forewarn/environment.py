"""Settings from the environment: `FOREWARN_X`, or `FOREWARN_X_FILE` naming a file that holds it."""

from collections.abc import Mapping
from pathlib import Path

PREFIX = "FOREWARN_"
DEFAULT_HOME = ".forewarn"
STAY_FILES = frozenset(f"{PREFIX}MQTT_{what}_FILE" for what in ("CA", "CERTIFICATE", "PRIVATE_KEY"))
"""OpenSSL reads these itself, anew at each connection."""


class WrongUse(Exception):
    """The command was called with something it cannot take (exit code 2)."""


class Failed(Exception):
    """The command could not do what it was asked to (exit code 1)."""


def expand(environ: Mapping[str, str], home: str | None = None) -> dict[str, str]:
    """A copy with every `FOREWARN_X_FILE` replaced by `FOREWARN_X` read from that file. Raises WrongUse."""
    out = dict(environ)
    for name, path in environ.items():
        if not (name.startswith(PREFIX) and name.endswith("_FILE")) or name in STAY_FILES:
            continue
        plain = name.removesuffix("_FILE")
        if environ.get(plain):
            raise WrongUse(f"{plain} and {name} are both set: set one of them")
        try:
            out[plain] = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as failure:
            raise WrongUse(f"{name}: {path!r} cannot be read: {failure}") from failure
        del out[name]
    if home is not None:
        out[PREFIX + "HOME"] = home
    out.setdefault(PREFIX + "HOME", DEFAULT_HOME)
    return out


def home_of(environ: Mapping[str, str]) -> Path:
    """The folder that holds all that the product keeps."""
    return Path(environ[PREFIX + "HOME"]).expanduser().resolve()
