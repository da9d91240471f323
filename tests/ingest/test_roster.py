"""A CSV file of devices: every faulty row is named, and none half imported."""

import pytest

from ingest.service.access import Access
from ingest.service.registry import add_device, list_devices
from ingest.service.roster import BadRoster, add_devices, read_roster
from plumbing.sql import Database
from tests.ingest.conftest import NOW, HandClock, pump

MODELS = {"pump": pump()}.get


def faults(text: str, database: Database) -> list[tuple[int, str, str]]:
    with pytest.raises(BadRoster) as said:
        add_devices(database, "acme", read_roster(text), now=NOW, models=MODELS)
    assert all(f.rule for f in said.value.faults)
    return [(f.line, f.field, f.value) for f in said.value.faults]


def test_a_good_file_registers_everything(database: Database) -> None:
    text = "\ufeffname,model,username\r\npump-1,pump,\r\n\r\npump-2, pump ,plc7\r\n"
    made = add_devices(database, "acme", read_roster(text), now=NOW, models=MODELS)
    assert [(d.device, d.username) for d in made] == [("pump-1", "acme/pump-1"), ("pump-2", "plc7")]
    access = Access(database, HandClock())
    assert all(access.verify(d.username, d.password) for d in made)
    assert len({d.password for d in made}) == 2


def test_every_faulty_row_is_named_and_nothing_is_registered(database: Database) -> None:
    add_device(database, "acme", "there", "pump", username="taken", now=NOW)
    text = (
        "name,model,username\npump-1,pump,\nbad name,pump,\npump-2,unheard-of,\npump-1,pump,\nthere,pump,\n"
        "pump-3,pump,taken\npump-4,pump,ingest\npump-5,pump,twice\npump-6,pump,twice\n"
    )
    assert faults(text, database) == [
        (3, "name", "bad name"),
        (4, "model", "unheard-of"),
        (5, "name", "pump-1"),
        (6, "name", "there"),
        (7, "username", "taken"),
        (8, "username", "ingest"),
        (10, "username", "twice"),
    ]
    assert [d.device for d in list_devices(database)] == ["there"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "name", ""), (1, "model", "")]),
        ("name\npump-1\n", [(1, "model", "")]),
        ("name,model,colour\npump-1,pump,red\n", [(1, "colour", "colour")]),
        ("name,model,model\npump-1,pump,pump\n", [(1, "model", "model")]),
        ("name,model\n", [(1, "file", "")]),
        ("name,model\npump-1\npump-2,pump,x\n", [(2, "row", "pump-1"), (3, "row", "pump-2,pump,x")]),
        ('name,model\n"pump-1,pump\n', [(2, "row", "")]),
    ],
)
def test_a_file_that_is_no_roster(text: str, expected: list[tuple[int, str, str]], database: Database) -> None:
    assert faults(text, database) == expected
