"""Model files: plain arrays in one .npz, and a manifest in JSON that holds its SHA-256; altered ones are refused.

    MODEL/manifest.json   format, kind, code version, plain values, what the maker says of it, SHA-256 of the arrays
    MODEL/arrays.npz      numbers only; read without pickle

`write` and `read` keep any named arrays and plain values; `anomaly.training.life_files` keeps remaining lives by them.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"


class BadModel(Exception):
    """A model file that cannot be trusted or read; one sentence."""


@dataclass(frozen=True)
class Stored:
    """What a model's folder holds."""

    kind: str
    values: dict[str, Any]
    """Plain values of the model itself."""
    arrays: dict[str, NDArray[Any]]
    about: dict[str, Any]
    """What its maker says of it: metrics, hash of the data, what it was fitted on."""
    code_version: str
    """The product that wrote it."""
    sha256: str
    """Of the manifest, and with that of all: it names the model."""


def write(
    folder: Path,
    kind: str,
    values: Mapping[str, object],
    arrays: Mapping[str, NDArray[Any]],
    about: Mapping[str, object],
) -> str:
    """Write a model into a new folder, whole or not at all; returns the SHA-256 of its manifest.

    Raises FileExistsError where the folder is there already.
    """
    packed = io.BytesIO()
    save: Any = np.savez_compressed
    save(packed, **{name: np.asarray(array) for name, array in arrays.items()})
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "code": code_version(),
        "values": dict(values),
        "about": dict(about),
        "sha256": {ARRAYS: hashlib.sha256(packed.getvalue()).hexdigest()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False).encode()
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    making = folder.with_name(f".{folder.name}.{os.getpid()}")
    making.mkdir(parents=True)
    for name, content in ((ARRAYS, packed.getvalue()), (MANIFEST, text)):
        with (making / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    making.rename(folder)
    return hashlib.sha256(text).hexdigest()


def read(folder: Path, kind: str, sha256: str | None = None) -> Stored:
    """Read a model that `write` wrote. Raises BadModel.

    Parameters
    ----------
    kind
        What it must be.
    sha256
        Of the manifest, as somebody wrote it down who trusts the model; None = only the arrays are held against it.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
        packed = (folder / ARRAYS).read_bytes()
        manifest = json.loads(text)
    except (OSError, ValueError) as failure:
        raise BadModel(f"{folder} holds no model: {failure}") from failure
    own = hashlib.sha256(text).hexdigest()
    if sha256 is not None and own != sha256:
        raise BadModel(f"{folder / MANIFEST} was altered: its SHA-256 is {own}, must be {sha256}")
    try:
        if manifest["format"] != FORMAT or manifest["kind"] != kind:
            raise BadModel(f"{folder} holds {manifest['kind']} in format {manifest['format']}, not {kind} in {FORMAT}")
        if hashlib.sha256(packed).hexdigest() != manifest["sha256"][ARRAYS]:
            raise BadModel(f"{folder / ARRAYS} was altered: its SHA-256 is not the one of {MANIFEST}")
        values, about, code = dict(manifest["values"]), dict(manifest["about"]), str(manifest["code"])
    except (KeyError, TypeError, ValueError) as failure:
        raise BadModel(f"{folder / MANIFEST} is no manifest: {failure!r}") from failure
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
    except (ValueError, OSError, BadZipFile) as failure:
        raise BadModel(f"{folder / ARRAYS} cannot be read: {failure}") from failure
    return Stored(kind, values, arrays, about, code, own)


def code_version() -> str:
    """The product's version."""
    try:
        return version("forewarn")
    except PackageNotFoundError:
        return "unknown"
