"""Which signal a foreign name means."""

import pytest

from ingest.domain.foreign.names import signal_of


@pytest.mark.parametrize(
    ("foreign", "table", "signal"),
    [
        ("temp", None, "temp"), ("Motor/Temp", None, "Motor.Temp"), ("Bearing 1", None, "Bearing_1"),
        ("/°C/x", None, "C.x"), ("--x", None, "x"), ("°", None, "°"), ("", None, "(no name)"),
        ("x" * 65, None, "x" * 65),
        ("Motor/Temp", {"Motor/Temp": "temp"}, "temp"), ("Motor/Temp", {"Motor/Temp": ""}, ""),
        ("Other", {"Motor/Temp": "temp"}, "Other"), ("Other", {"Motor/Temp": "temp", "*": ""}, ""),
        ("Motor/Temp", {"Motor/Temp": "temp", "*": ""}, "temp"),
    ],
)  # fmt: skip
def test_names_follow_the_table_and_then_the_rule(foreign: str, table: dict[str, str] | None, signal: str) -> None:
    assert signal_of(foreign, table) == signal
