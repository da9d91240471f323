"""`forewarn model`: check an asset model, say what its signals can show."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import msgspec

from anomaly.domain.blind_spots import sight, told
from contracts.asset_model import AssetModel
from contracts.asset_model_text import BadAssetModel
from contracts.detection_methods import methods_of
from forewarn.environment import Failed, WrongUse, home_of
from plumbing.model_files import ModelFiles, check_file, load_file


def check(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Name every fault by file, line, field and rule; exit 1 when there is one."""
    try:
        faults = check_file(given.file)
    except (OSError, UnicodeDecodeError) as failure:
        raise Failed(f"{given.file} cannot be read: {failure}") from failure
    for fault in faults:
        print(fault)
    if faults:
        raise Failed(f"{given.file}: {len(faults)} fault{'s' if len(faults) != 1 else ''}")
    print(f"{given.file}: good; its machines are watched by: {', '.join(methods_of(load_file(given.file)))}")
    return 0


def sees(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Say which failure modes the signals at hand can show."""
    model = _model(given.model, environ)
    names = None
    if given.signals is not None:
        names = [name.strip() for name in given.signals.split(",") if name.strip()]
        unknown = [name for name in names if name not in model.signals]
        if unknown:
            raise WrongUse(
                f"--signals {unknown[0]}: {model.name} has no such signal; it has {', '.join(model.signals)}"
            )
    found = sight(model, names)
    print(msgspec.json.encode(found).decode() if given.json else "\n".join(told(model, found)))
    return 0


def _model(named: str, environ: Mapping[str, str]) -> AssetModel:
    try:
        if named.endswith((".yaml", ".yml")):
            return load_file(Path(named))
        models = ModelFiles(home_of(environ)).all()
    except BadAssetModel as bad:
        raise Failed(f"{bad.faults[0]}") from bad
    if named not in models:
        raise WrongUse(f"MODEL {named!r} is not known; known are {', '.join(sorted(models))}")
    return models[named]
