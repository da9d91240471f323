"""What the command line takes, refuses, and answers."""

import gzip
import json
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forewarn import datasets, home, ports
from forewarn.__main__ import DONE, FAILED, WRONG_USE, main
from forewarn.arguments import parser
from forewarn.environment import Failed, WrongUse, expand

LINE = "{unit} {cycle} 0.1 0.2 100 " + " ".join(str(n) for n in range(21))


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-command"],
        ["up", "--http-port", "70000"],
        ["demo", "--for", "0"],
        ["demo", "--for", "soon"],
        ["run", "kettle"],
        ["detect", "x.csv"],
        ["detect", "x.csv", "--time", "t", "--train-rows", "5", "--signals", "a", "--exclude", "b"],
        ["replay", "cmapss"],
        ["replay", "cmapss", "--data", "x", "--speed", "-1"],
        ["replay", "cmapss", "--data", "/no/such/folder"],
        ["device", "add", "p"],
        ["link", "king"],
        ["demo", "--json", "/no/such/folder/demo.json"],
        ["detect", "x.csv", "--time", "t", "--train-rows", "50", "--plot", "/"],
        ["replay", "cmapss", "--data", ".", "--json", "/no/such/folder/out.json"],
        [],
    ],
)
def test_wrong_use_is_exit_2_and_no_stack_trace(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == WRONG_USE
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err.startswith("forewarn: ") or said.out.startswith("usage: ")


def test_help_of_every_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "replay" in capsys.readouterr().out


def test_commands_start_without_the_analysis_libraries() -> None:
    code = "import sys, forewarn.__main__ as m; m.parser(); print([n for n in HEAVY if n in sys.modules])"
    heavy = ["pandas", "scipy", "sklearn", "statsmodels", "duckdb", "sqlalchemy", "fastapi", "numpy", "pint"]
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {heavy}\n{code}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_setting_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    out = expand({"FOREWARN_INFLUX_TOKEN_FILE": str(tmp_path / "token")})
    assert out["FOREWARN_INFLUX_TOKEN"] == "abc"
    assert "FOREWARN_INFLUX_TOKEN_FILE" not in out


def test_a_setting_given_twice_or_in_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="FOREWARN_X and FOREWARN_X_FILE are both set"):
        expand({"FOREWARN_X": "1", "FOREWARN_X_FILE": "f"})
    with pytest.raises(WrongUse, match="cannot be read"):
        expand({"FOREWARN_X_FILE": str(tmp_path / "none")})


def test_a_home_is_held_by_one_process_and_the_second_is_told_its_number(tmp_path: Path) -> None:
    code = "import sys, time\nfrom pathlib import Path\nfrom forewarn import home\n"
    code += "with home.held(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(Failed, match=f"process {other.pid}"), home.held(tmp_path):
        pass
    other.communicate("")
    with home.held(tmp_path):
        pass


def test_run_json_is_the_owners_alone_and_goes_with_the_product(tmp_path: Path) -> None:
    import os

    with home.held(tmp_path):
        home.write(tmp_path, home.Running(os.getpid(), "http://x", "mqtt://x", {"admin": "l"}, "k"))
        assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
        found = home.find(tmp_path)
        assert found is not None
        assert found.links == {"admin": "l"}
        assert set(json.loads((tmp_path / "run.json").read_text())) == {"pid", "http", "mqtt", "links", "api_key"}
    assert home.find(tmp_path) is None


def test_run_json_of_a_dead_process_counts_for_nothing(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    home.write(tmp_path, home.Running(dead.pid, "http://x", "mqtt://x"))
    assert home.find(tmp_path) is None


def test_a_busy_port_gives_way_to_the_next() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert ports.free("127.0.0.1", port) > port
    assert ports.free("127.0.0.1", 0) > 0


def test_status_where_nothing_runs_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--data-dir", str(tmp_path)]) == FAILED
    assert "forewarn up" in capsys.readouterr().err


def test_the_doctor_finds_a_fresh_home_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--data-dir", str(tmp_path / "new")]) == DONE
    assert "BAD" not in capsys.readouterr().out


def test_a_good_model_is_good_and_a_bad_one_is_named_by_line_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Path(__file__).parents[2] / "asset_models" / "centrifugal-pump.yaml"
    assert main(["model", "check", str(good)]) == DONE
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("unit: mm/s", "unit: furlong", 1))
    assert main(["model", "check", str(bad)]) == FAILED
    out = capsys.readouterr().out
    assert "signals.vibration.unit: 'furlong'" in out
    assert f"{bad}:" in out


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".xz", lzma.compress), (".gz", gzip.compress)])
def test_engines_are_read_in_any_compression(tmp_path: Path, ending: str, pack: object) -> None:
    text = "\n".join(LINE.format(unit=u, cycle=c) for u in (1, 4) for c in range(1, 3 + u)) + "\n"
    assert callable(pack)
    (tmp_path / f"train_FD009.txt{ending}").write_bytes(pack(text.encode()))
    recorded = datasets.read(tmp_path, "train_FD009.txt", "")
    engines = datasets.engines(recorded)
    assert {unit: rows.shape for unit, rows in engines.items()} == {1: (3, 24), 4: (6, 24)}
    assert np.array_equal(engines[1][0, 3:], np.arange(21))
    assert not recorded.known


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 1 2 3\n", "4 columns, must be 26"),
        ("1 x" + " 0" * 24 + "\n", "could not convert"),
        (LINE.format(unit=1, cycle=2) + "\n", "goes from cycle 0 to 2"),
        ("", "holds no engine"),
    ],
)
def test_a_broken_engine_file_is_named_by_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "train_X.txt").write_text(text)
    with pytest.raises(Failed, match=words):
        datasets.engines(datasets.read(tmp_path, "train_X.txt", ""))


def test_a_damaged_archive_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "train_X.txt.gz").write_bytes(b"no gzip")
    with pytest.raises(Failed, match="cannot be read"):
        datasets.read(tmp_path, "train_X.txt", "")


@pytest.mark.parametrize(
    "words",
    [
        ["detect", "{}", "--time", "t", "--train-rows", "50"],
        ["import", "{}", "--device", "p"],
        ["device", "import", "{}"],
        ["model", "check", "{}"],
        ["run", "agent", "--config", "{}"],
        ["device", "certificate", "p", "--csr", "{}"],
    ],
)
def test_a_file_that_is_not_there_is_wrong_use_everywhere(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = str(tmp_path / "gone.csv")
    assert main([w.format(gone) for w in words]) == WRONG_USE
    assert f"{gone!r} is no file that can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["detect", "{}", "--time", "t", "--train-rows", "50"],
        ["import", "{}", "--device", "pump-1"],
        ["device", "import", "{}"],
        ["model", "check", "{}"],
    ],
)
def test_a_file_of_no_sense_has_failed_everywhere(words: list[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\xff\xfe\x00")
    main(["device", "add", "pump-1", "--model", "centrifugal-pump", "--data-dir", str(tmp_path)])
    assert main([*(w.format(bad) for w in words), "--data-dir", str(tmp_path)]) == FAILED


@pytest.mark.parametrize("address", ["nonsense.invalid", "203.0.113.7"])
def test_an_address_that_is_not_this_computers_is_wrong_use(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["up"], ["demo"], ["run", "api"]):
        assert main([*words, "--listen", address]) == WRONG_USE
        assert "must be an address of this computer" in capsys.readouterr().err
        assert parser().parse_args([*words, "--listen", "0.0.0.0"]).listen == "0.0.0.0"


def test_devices_of_all_companies_are_listed_and_one_elsewhere_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ["--data-dir", str(tmp_path)]
    main(["device", "add", "this-computer", "--model", "host-computer", *here])
    main(["device", "add", "pump-01", "--model", "centrifugal-pump", "--tenant", "demo", *here])
    capsys.readouterr()
    assert main(["device", "list", *here]) == DONE
    listed = capsys.readouterr().out
    assert "demo/pump-01" in listed
    assert "local/this-computer" in listed
    assert main(["device", "list", "--tenant", "demo", *here]) == DONE
    assert "this-computer" not in capsys.readouterr().out
    for words in (["ledger", "pump-01"], ["device", "revoke", "pump-01"], ["device", "certificate", "pump-01"]):
        assert main([*words, *here]) == WRONG_USE
        assert "tenant demo has one. Try: --tenant demo" in capsys.readouterr().err
    assert main(["ledger", "pump-1", *here]) == WRONG_USE
    assert "forewarn device add pump-1" in capsys.readouterr().err
