"""The asset models on this machine: those shipped, and those in the home folder, which win."""

import threading
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from contracts.asset_model import AssetModel
from contracts.asset_model_text import BadAssetModel, Fault, parse
from contracts.units import Units
from plumbing.ucum import UcumUnits

SUFFIXES = (".yaml", ".yml")


def check_file(path: Path, units: Units | None = None) -> list[Fault]:
    """Everything that is wrong in an asset model's file; empty = nothing."""
    try:
        _load(path, units or UcumUnits())
    except BadAssetModel as bad:
        return bad.faults
    return []


def load_file(path: Path) -> AssetModel:
    """The asset model in a file. Raises BadAssetModel, also where the file cannot be read."""
    return _load(path, UcumUnits())


def _load(path: Path, units: Units) -> AssetModel:
    """Raises BadAssetModel, also where the file cannot be read."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadAssetModel([Fault(str(path), 1, "", f"cannot be read: {problem}")]) from problem
    return parse(text, str(path), lambda code: units.resolve(code) is not None)


class ModelFiles:
    """Gives the asset model of a name; read once, on first need. Thread-safe.

    A model is found by the name inside its file. Raises BadAssetModel for a file of the home folder that is wrong, and
    for two files of one folder that hold the same name.
    """

    def __init__(self, home: Path, units: Units | None = None) -> None:
        self._home = home / "asset_models"
        self._units: Units = units or UcumUnits()
        self._lock = threading.Lock()
        self._models: dict[str, AssetModel] | None = None

    def __call__(self, name: str) -> AssetModel | None:
        """The model of that name; None = unknown."""
        return self.all().get(name)

    def all(self) -> dict[str, AssetModel]:
        """All models by name."""
        with self._lock:
            if self._models is None:
                with resources.as_file(resources.files("asset_models")) as shipped:
                    self._models = {**self._of(shipped), **self._of(self._home)}
            return self._models

    def reload(self) -> None:
        """Read the files again at the next need."""
        with self._lock:
            self._models = None

    def _of(self, folder: Path) -> dict[str, AssetModel]:
        found: dict[str, AssetModel] = {}
        files: dict[str, Path] = {}
        faults: list[Fault] = []
        for path in _files(folder):
            try:
                model = _load(path, self._units)
            except BadAssetModel as bad:
                faults += bad.faults
                continue
            if model.name in found:
                faults.append(Fault(str(path), 1, "name", f"{model.name!r} stands in {files[model.name].name} already"))
            found[model.name], files[model.name] = model, path
        if faults:
            raise BadAssetModel(faults)
        return found


def _files(folder: Path) -> Iterable[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES) if folder.is_dir() else []
