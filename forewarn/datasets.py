"""Recorded data sets: files plain, .xz or .gz, known by the SHA-256 of their content."""

import gzip
import hashlib
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forewarn.environment import Failed, WrongUse

ENDINGS = ("", ".xz", ".gz")
KNOWN = {
    "train_FD001.txt": "6d4b04c7a84f7f6d6c9c0153340f634f2ee4e4466fff337603ea7d74bcfcdbe1",
    "train_FD003.txt": "ddc59b42c919f8a36883ff01c40555e841d66cf7a705e70d1db5d1e11e57688a",
    "test_FD001.txt": "818b11b2b35d9be951a290ae0d816f91e0084f71d37172c0d18b7f8be137490c",
    "test_FD003.txt": "0f706b9e02f1ce6f225368ef9fca14000a93130ad7bd978f6a8939a6bcaa7d72",
}
"""SHA-256 of the uncompressed files that the figures were measured on."""
CMAPSS_COLUMNS = 26
WHERE_CMAPSS = "NASA's Prognostics Center of Excellence publishes it as 'Turbofan Engine Degradation Simulation'"


@dataclass(frozen=True)
class Recorded:
    """The content of one file of a data set."""

    name: str
    content: bytes
    sha256: str

    @property
    def known(self) -> bool:
        """Whether it is the very file that the figures were measured on."""
        return KNOWN.get(self.name) == self.sha256


def read(folder: Path, name: str, where: str) -> Recorded:
    """The file `name` below `folder`, in whatever compression. Raises WrongUse, Failed."""
    if not folder.is_dir():
        raise WrongUse(f"--data: {str(folder)!r} must be a folder that holds {name}[.xz|.gz]")
    for ending in ENDINGS:
        path = folder / (name + ending)
        if not path.is_file():
            continue
        try:
            raw = path.read_bytes()
            content = lzma.decompress(raw) if ending == ".xz" else gzip.decompress(raw) if ending == ".gz" else raw
        except (OSError, EOFError, lzma.LZMAError) as failure:
            raise Failed(f"{path} cannot be read: {failure}") from failure
        return Recorded(name, content, hashlib.sha256(content).hexdigest())
    raise WrongUse(f"--data: {folder} holds no {name}[.xz|.gz]. {where}")


def engines(recorded: Recorded) -> dict[int, NDArray[np.float64]]:
    """Cycles of every engine, (n, 24): three settings, then the sensors, in the order of the file. Raises Failed."""
    out: dict[int, list[list[float]]] = {}
    for number, line in enumerate(recorded.content.decode("ascii", "replace").splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        try:
            row = [float(cell) for cell in cells]
        except ValueError as wrong:
            raise Failed(f"{recorded.name}:{number}: {wrong}") from wrong
        if len(row) != CMAPSS_COLUMNS:
            raise Failed(f"{recorded.name}:{number}: {len(row)} columns, must be {CMAPSS_COLUMNS}")
        cycles = out.setdefault(int(row[0]), [])
        if row[1] != len(cycles) + 1:
            raise Failed(f"{recorded.name}:{number}: engine {int(row[0])} goes from cycle {len(cycles)} to {row[1]:g}")
        cycles.append(row[2:])
    if not out:
        raise Failed(f"{recorded.name} holds no engine")
    return {unit: np.array(cycles) for unit, cycles in out.items()}
