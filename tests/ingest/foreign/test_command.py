"""`forewarn device foreign` as a person types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from forewarn.__main__ import main

Shell = Callable[..., tuple[int, str, str]]
TOKEN = "A1_TEST_TOKEN"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("FOREWARN_DATABASE_URL", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["device", *words, "--data-dir", str(tmp_path / "home")])
        said = capsys.readouterr()
        return code, said.out, said.err

    for name in ("gate", "tb", "pump-1"):
        assert run("add", name, "--model", "centrifugal-pump")[0] == 0
    return run


def test_a_node_a_gateway_and_those_behind_them_are_named_listed_and_forgotten(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert shell("foreign", "gate", "--sparkplug", "Plant 1/Line 4")[0] == 0
    assert TOKEN not in "".join(
        map(str, shell("foreign", "tb", "--thingsboard", "--token-file", str(tmp_path / "token")))
    )
    assert (
        shell("foreign", "pump-1", "--behind", "gate", "--as", "Pump", "--signal", "a=b=flow", "--signal", "*=")[0] == 0
    )
    listed = {each["device"]: each for each in json.loads(shell("foreign", "--json")[1])}
    assert listed["pump-1"] == {
        "tenant": "local", "device": "pump-1", "protocol": "sparkplug", "behind": "gate", "name": "Pump",
        "has_token": False, "signals": {"a=b": "flow", "*": ""},
    }  # fmt: skip
    assert listed["tb"]["has_token"]
    assert shell("foreign", "tb", "--influx")[0] == 0
    assert "local/tb\tinflux\tby its account" in shell("foreign")[1]
    assert shell("foreign", "pump-1", "--forget")[0] == 0
    assert "pump-1" not in shell("foreign")[1]


def test_a_fresh_token_is_shown_once(shell: Shell) -> None:
    first = json.loads(shell("foreign", "tb", "--thingsboard", "--json")[1])["token"]
    assert len(first) >= 32
    assert first not in shell("foreign")[1]
    assert json.loads(shell("foreign", "tb", "--thingsboard", "--json")[1])["token"] != first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pump-1"], "is missing"),
        (["pump-1", "--as", "x", "--thingsboard"], "--behind"),
        (["pump-1", "--sparkplug", "x/y", "--token-file", __file__], "--thingsboard"),
        (["pump-1", "--sparkplug", "x"], "GROUP/NODE"),
        (["pump-1", "--behind", "gate"], "no gateway and no edge node"),
        (["pump-9", "--sparkplug", "x/y"], "no device of this name"),
        (["pump-1", "--sparkplug", "x/y", "--signal", "temp"], "THERE=SIGNAL"),
        (["pump-1", "--sparkplug", "x/y", "--signal", "temp=a b"], "no signal"),
    ],
)
def test_wrong_use_is_told_in_words(shell: Shell, words: list[str], said: str) -> None:
    code, _, err = shell("foreign", *words)
    assert code == 2
    assert said in err
