"""Files of public sets: plain or compressed, wherever below the given folder, named by the SHA-256 of their content."""

import gzip
import hashlib
import lzma
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

ENDINGS = ("", ".xz", ".gz")


class BadData(Exception):
    """What lies below the folder is not the set; one sentence."""


def plain_name(path: Path) -> str:
    """The file's name without the ending of its compression."""
    return path.stem if path.suffix in ENDINGS[1:] else path.name


def every(folder: Path, pattern: str) -> list[Path]:
    """Files below `folder` whose plain name matches `pattern`, plain before packed, each plain path once; sorted.

    Raises BadData.
    """
    if not folder.is_dir():
        raise BadData(f"{str(folder)!r} must be a folder that holds {pattern}")
    found: dict[Path, Path] = {}
    for ending in ENDINGS:
        for path in sorted(folder.rglob(pattern + ending)):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                found.setdefault(path.with_name(plain_name(path)), path)
    return [found[name] for name in sorted(found)]


def finding(folder: Path, names: Sequence[str], where: str) -> Path:
    """The one file below `folder` of any of these names, the first name first. Raises BadData.

    Parameters
    ----------
    names
        Plain names (or patterns) that publications of the set use for this file.
    where
        Where the set can be downloaded; a sentence for the person who has not got it.
    """
    for name in names:
        found = every(folder, name)
        if found:
            return min(found, key=lambda path: (len(path.parts), path))
    raise BadData(f"{folder} holds no {' or '.join(names)} (plain, .xz or .gz). {where}")


def content(path: Path) -> bytes:
    """What is in the file, unpacked. Raises BadData."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".xz":
            return lzma.decompress(raw)
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, lzma.LZMAError) as failure:
        raise BadData(f"{path} cannot be read: {failure}") from failure


def open_table(path: Path, **how: Any) -> "DataFrame":
    """A table from a text file, plain or packed; `how` is what `pandas.read_csv` takes. Raises BadData."""
    import pandas as pd

    try:
        table: DataFrame = pd.read_csv(BytesIO(content(path)), **how)
    except (ValueError, UnicodeDecodeError, KeyError, IndexError) as failure:
        raise BadData(f"{path} is no table: {failure}") from failure
    return table


def sha256_of(paths: Sequence[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file's unpacked content by its path below `root`, without the ending of a compression."""
    return {name: hashlib.sha256(content(path)).hexdigest() for name, path in _named(paths, root)}


def _named(paths: Sequence[Path], root: Path) -> Iterator[tuple[str, Path]]:
    for path in paths:
        yield path.relative_to(root).with_name(plain_name(path)).as_posix(), path
