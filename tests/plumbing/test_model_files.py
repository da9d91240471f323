"""The asset models on a machine."""

from pathlib import Path

import pytest

from contracts.asset_model_text import BadAssetModel
from plumbing.model_files import ModelFiles, check_file

SMALL = """\
name: {name}
title: {title}
signals:
  temperature: {{unit: {unit}, range: [0, 100], role: symptom, title: Temperature}}
"""


def write(folder: Path, file: str, name: str = "fan", title: str = "Fan", unit: str = "Cel") -> Path:
    """An asset model's file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_text(SMALL.format(name=name, title=title, unit=unit))
    return path


def test_every_shipped_model_is_sound(tmp_path: Path) -> None:
    models = ModelFiles(tmp_path).all()
    assert "centrifugal-pump" in models
    assert all(name == model.name for name, model in models.items())


def test_an_unknown_model_is_none(tmp_path: Path) -> None:
    assert ModelFiles(tmp_path)("nonsense") is None


def test_the_home_folder_wins(tmp_path: Path) -> None:
    write(tmp_path / "asset_models", "mine.yaml", "centrifugal-pump", "My pump")
    write(tmp_path / "asset_models", "other.yml")
    models = ModelFiles(tmp_path)
    pump, fan = models("centrifugal-pump"), models("fan")
    assert pump
    assert pump.title == "My pump"
    assert fan


def test_files_are_read_once_until_reload(tmp_path: Path) -> None:
    models = ModelFiles(tmp_path)
    assert models("fan") is None
    write(tmp_path / "asset_models", "fan.yaml")
    assert models("fan") is None
    models.reload()
    assert models("fan")


def test_all_wrong_files_are_named_at_once(tmp_path: Path) -> None:
    write(tmp_path / "asset_models", "a.yaml", "a", unit="nonsense")
    write(tmp_path / "asset_models", "b.yaml", "b", unit="rpm")
    with pytest.raises(BadAssetModel) as caught:
        ModelFiles(tmp_path).all()
    assert [(Path(f.file).name, f.line, f.field) for f in caught.value.faults] == [
        ("a.yaml", 4, "signals.temperature.unit"),
        ("b.yaml", 4, "signals.temperature.unit"),
    ]


def test_two_files_with_one_name_are_a_fault(tmp_path: Path) -> None:
    write(tmp_path / "asset_models", "a.yaml")
    write(tmp_path / "asset_models", "b.yaml")
    with pytest.raises(BadAssetModel, match=r"a\.yaml already"):
        ModelFiles(tmp_path).all()


def test_check_file_says_file_line_field_and_rule(tmp_path: Path) -> None:
    good, bad = write(tmp_path, "good.yaml"), write(tmp_path, "bad.yaml", unit="nonsense")
    assert check_file(good) == []
    assert str(check_file(bad)[0]).startswith(f"{bad}:4: signals.temperature.unit: 'nonsense' is no UCUM code")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    assert "cannot be read" in check_file(path)[0].rule
