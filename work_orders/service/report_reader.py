"""The reader of people's words as it is shipped: flat arrays and a manifest beside this module, read once a process."""

import hashlib
import io
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from work_orders.domain.report_reader import BUCKETS, Head, Reader

ARRAYS = Path(__file__).with_name("report_reader.npz")
MANIFEST = Path(__file__).with_name("report_reader.json")


class BadReader(Exception):
    """The files are not those that belong together."""


@cache
def reader() -> Reader:
    """Read them. Raises BadReader."""
    manifest: dict[str, Any] = msgspec.json.decode(MANIFEST.read_bytes())
    data = ARRAYS.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["sha256"] or manifest["buckets"] != BUCKETS:
        raise BadReader(f"{ARRAYS.name} is not what {MANIFEST.name} says")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        heads = {
            name: Head(
                tuple(told["names"]), arrays[f"{name}_weights"].astype(np.float32) * arrays[f"{name}_scale"],
                arrays[f"{name}_offsets"], told["temperature"], told["threshold"],
            )
            for name, told in manifest["heads"].items()
        }  # fmt: skip
        seen = np.unpackbits(arrays["seen"]).astype(bool)
        rarity = arrays["rarity"].astype(np.float32)
        return Reader(rarity, seen, manifest["familiar"], heads["symptom"], heads["urgency"])
