"""`forewarn base import` and `export` on a home of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forewarn.__main__ import main

CUSTOMERS = "Kundennummer;Firma;Notiz\nk-1;Dairy;good\nk-2;=Waterworks+;\n"


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main([str(w) for w in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_tables_come_in_and_go_out_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--data-dir", tmp_path / "home")
    given = tmp_path / "customers.csv"
    given.write_text(CUSTOMERS)
    assert run(capsys, "base", "export", "--out", tmp_path / "none", *home)[0] == 1  # no product there yet
    tried, out, err = run(capsys, "base", "import", given, "--dry-run", *home)
    assert (tried, "nothing was written" in out, "left out: Notiz" in err) == (0, True, True)
    assert json.loads(run(capsys, "base", "import", given, "--json", *home)[1])["added"] == {"customers": 2}
    assert run(capsys, "base", "export", "--out", tmp_path / "out", *home)[0] == 0
    assert (tmp_path / "out" / "customers.csv").read_text().splitlines()[1].startswith("k-1,Dairy,Dairy,")
    assert "k-2,'=Waterworks+,'=Waterworks+," in (tmp_path / "out" / "customers.csv").read_text()
    again = run(capsys, "base", "import", tmp_path / "out" / "customers.csv", "--json", *home)
    assert json.loads(again[1])["same"] == {"customers": 2}
    given.write_text("Firma;Mail\nDairy;nobody\n")
    code, _, err = run(capsys, "base", "import", given, *home)
    assert (code, "customers row 2, email 'nobody': must be an e-mail address" in err) == (1, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [(("--map", "Nothing=id"), "has no header 'Nothing'"), (("--map", "Firma=shoe"), "have no field 'shoe'"),
     (("--map", "x"), "must be HEADER=FIELD")],
)  # fmt: skip
def test_a_wrong_mapping_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str], said: str
) -> None:
    given = tmp_path / "customers.csv"
    given.write_text(CUSTOMERS)
    code, _, err = run(capsys, "base", "import", given, "--data-dir", tmp_path / "home", *more)
    assert (code, said in err) == (2, True)
