"""The audit chain: one commit with the change, and no entry can be altered, moved or taken out unseen."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from plumbing import audit
from plumbing.sql import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def made(sqlite: Database) -> Database:
    """A SQLite database with the chain's table, and ten entries of two tenants each."""
    return filled(sqlite)


def filled(database: Database) -> Database:
    """The database with ten entries of two tenants each."""
    with database.write() as connection:
        audit.metadata.create_all(connection)
        for i in range(10):
            for tenant in ("acme", "other"):
                audit.append(
                    connection, tenant, NOON, "ann", "case_opened", {"id": f"c{i}", "text": "Ä opened", "n": i}
                )
    return database


def verified(database: Database, tenant: str = "acme") -> int | None:
    """The first bad entry."""
    with database.read() as connection:
        return audit.verify(connection, tenant)


def test_an_untouched_chain_is_whole(made: Database) -> None:
    assert verified(made) is None
    assert verified(made, "other") is None
    assert verified(made, "nobody") is None


def test_entries_are_read_as_they_were_written(made: Database) -> None:
    with made.read() as connection:
        found = audit.read(connection, "acme", after=8)
    assert [(e.seq, e.at, e.actor, e.action, e.diff) for e in found] == [
        (n, NOON, "ann", "case_opened", {"id": f"c{n - 1}", "text": "Ä opened", "n": n - 1}) for n in (9, 10)
    ]


@pytest.mark.parametrize(
    ("change", "first_bad"),
    [
        ({"actor": "bob"}, 4),
        ({"action": "order_opened"}, 4),
        ({"diff": "{}"}, 4),
        ({"at": NOON.replace(minute=1)}, 4),
        ({"hash": "f" * 64}, 4),
        ({"prev_hash": "f" * 64}, 4),
        ({"seq": 11}, 4),
        ({"tenant": "third"}, 4),
    ],
)
def test_an_altered_entry_is_found(made: Database, change: dict[str, Any], first_bad: int) -> None:
    with made.write() as connection:
        connection.execute(
            audit.entries.update().where(audit.entries.c.tenant == "acme", audit.entries.c.seq == 4).values(**change)
        )
    assert verified(made) == first_bad
    assert verified(made, "other") is None


@pytest.mark.parametrize("seq", [1, 5])
def test_an_entry_taken_out_is_found(made: Database, seq: int) -> None:
    with made.write() as connection:
        connection.execute(audit.entries.delete().where(audit.entries.c.tenant == "acme", audit.entries.c.seq == seq))
    assert verified(made) == seq


@pytest.mark.parametrize("left", [9, 3, 0])
def test_a_tail_cut_off_is_found(made: Database, left: int) -> None:
    with made.write() as connection:
        connection.execute(audit.entries.delete().where(audit.entries.c.tenant == "acme", audit.entries.c.seq > left))
    assert verified(made) == left + 1
    assert verified(made, "other") is None
    with made.read() as connection:
        assert audit.tenants(connection) == ["acme", "other"]


def test_a_tail_cut_off_stays_found_when_the_chain_goes_on(made: Database) -> None:
    with made.write() as connection:
        connection.execute(audit.entries.delete().where(audit.entries.c.tenant == "acme", audit.entries.c.seq > 7))
        audit.append(connection, "acme", NOON, "ann", "case_opened", {"id": "c11", "text": "opened"})
    assert verified(made) == 8


def test_a_head_taken_away_or_altered_is_found(made: Database) -> None:
    with made.write() as connection:
        connection.execute(audit.heads.update().where(audit.heads.c.tenant == "acme").values(hash="f" * 64))
        connection.execute(audit.heads.delete().where(audit.heads.c.tenant == "other"))
    assert verified(made) is not None
    assert verified(made, "other") is not None


def test_an_altered_entry_with_its_own_hash_redone_is_told_by_the_next(made: Database) -> None:
    with made.write() as connection:
        row = connection.execute(
            sa.select(audit.entries).where(audit.entries.c.tenant == "acme", audit.entries.c.seq == 4)
        ).one()
        forged = audit.digest(row.prev_hash, "acme", 4, row.at, "bob", row.action, row.diff)
        connection.execute(
            audit.entries.update()
            .where(audit.entries.c.tenant == "acme", audit.entries.c.seq == 4)
            .values(actor="bob", hash=forged)
        )
    assert verified(made) == 4


def test_a_change_that_is_rolled_back_leaves_no_entry(made: Database) -> None:
    def fail() -> None:
        with made.write() as connection:
            audit.append(connection, "acme", NOON, "ann", "order_opened", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with made.write() as connection:
        assert audit.append(connection, "acme", NOON, "ann", "order_opened", {}) == 11
    assert verified(made) is None


def test_racing_writers_make_one_chain(database: Database) -> None:
    made = filled(database)

    def write() -> None:
        for _ in range(15):
            with made.write() as connection:
                audit.append(connection, "acme", NOON, "ann", "x", {})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with made.read() as connection:
        assert [e.seq for e in audit.read(connection, "acme")] == list(range(1, 71))
    assert verified(made) is None
