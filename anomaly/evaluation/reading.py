"""Tables for the live code, by the live reader: of a file as it is, or of what was made of it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from anomaly.adapters.table import BadTable, Table, read_table
from anomaly.evaluation.files import BadData

if TYPE_CHECKING:
    from pandas import DataFrame


def live_table(path: Path, time: str, frame: "DataFrame | None") -> Table:
    """The table in a file; where a frame is given, that frame's instead. Raises BadData."""
    try:
        if frame is None:
            return read_table(path, time)
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / path.name.removesuffix(".xz").removesuffix(".gz")
            frame.to_csv(written, index=False)
            return read_table(written, time)
    except BadTable as bad:
        raise BadData(str(bad)) from bad
