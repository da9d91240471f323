"""Every way to tamper with an audit chain, signed or not yet: where it is found, and as what."""

import contextlib
import dataclasses
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbing import audit, audit_key
from plumbing.audit_proof import decode, fault_of
from plumbing.audit_signing import NEWEST_FILE, AuditSigner, newest_noted, prove
from plumbing.audit_verify import Fault, find_fault
from plumbing.command_key import CommandKey
from plumbing.sql import Database, from_us

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY, OTHER = CommandKey(b"k" * 32), CommandKey(b"o" * 32)
E, H, C = audit.entries, audit.heads, audit.checkpoints
LAST = 10
Rows = list[dict[str, Any]]


def signer(database: Database, home: Path | None = None, at: datetime = NOON, key: CommandKey = KEY) -> AuditSigner:
    """A signer with a clock that stands."""
    return AuditSigner(database, key, lambda: at, home)


def append(database: Database, count: int, tenant: str = "acme") -> None:
    """So many entries."""
    with database.write() as connection:
        for _ in range(count):
            audit.append(connection, tenant, NOON, "ann", "case_opened", {"id": secrets.token_hex(4)})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of ten entries, of which checkpoints sign 1 to 4 and 5 to 7."""
    folder = tmp_path_factory.mktemp("chain")
    database = Database(f"sqlite:///{folder}/whole.sqlite")
    with database.write() as connection:
        audit.metadata.create_all(connection)
    for count in (4, 3):
        append(database, count)
        signer(database, folder).sign_all()
    append(database, 3)
    append(database, 2, "other")
    database.close()
    return folder / "whole.sqlite"


@pytest.fixture(scope="module")
def kept(whole: Path) -> Iterator[Database]:
    """For tampering that is undone."""
    made = Database(f"sqlite:///{whole}")
    yield made
    made.close()


@pytest.fixture
def chain(whole: Path, tmp_path: Path) -> Iterator[Database]:
    """A copy."""
    shutil.copy(whole, tmp_path / "chain.sqlite")
    made = Database(f"sqlite:///{tmp_path}/chain.sqlite")
    yield made
    made.close()


def fault(database: Database, keys: tuple[str, ...] = (KEY.public,), noted: Any = None) -> Fault | None:
    """What is found."""
    with database.read() as connection:
        return find_fault(connection, "acme", keys, noted)


class _Back(Exception):
    pass


def found(database: Database, tamper: Callable[[sa.Connection], Any], noted: Any = None) -> Fault | None:
    """What is found after tampering, which is undone again."""
    out: list[Fault | None] = []
    with contextlib.suppress(_Back), database.write() as connection:
        tamper(connection)
        out.append(find_fault(connection, "acme", (KEY.public,), noted))
        raise _Back
    return out[0]


def run(statement: sa.Executable) -> Callable[[sa.Connection], Any]:
    """Tampering by one statement."""
    return lambda connection: connection.execute(statement)


def rows_of(connection: sa.Connection) -> Rows:
    """All entries of the chain."""
    return [dict(r._mapping) for r in connection.execute(sa.select(E).where(E.c.tenant == "acme").order_by(E.c.seq))]


def replace(connection: sa.Connection, rows: Rows) -> None:
    """Put these in the place of all."""
    connection.execute(E.delete().where(E.c.tenant == "acme"))
    if rows:
        connection.execute(E.insert(), rows)


def chained(rows: Rows) -> Rows:
    """Numbers and hashes made anew, as a forger does who knows how."""
    prev, out = audit.FIRST, []
    for seq, r in enumerate(rows, 1):
        made = audit.digest(prev, r["tenant"], seq, r["at"], r["actor"], r["action"], r["diff"])
        out.append({**r, "seq": seq, "prev_hash": prev, "hash": made})
        prev = made
    return out


def with_head(connection: sa.Connection, rows: Rows) -> None:
    """These rows, and a head that agrees."""
    replace(connection, rows)
    connection.execute(H.update().where(H.c.tenant == "acme").values(seq=rows[-1]["seq"], hash=rows[-1]["hash"]))


def forged(n: int) -> dict[str, Any]:
    """An entry that nobody wrote."""
    return {"tenant": "acme", "seq": n, "prev_hash": "0" * 64, "hash": "f" * 64, "at": NOON, "actor": "mallory",
            "action": "case_closed", "diff": '{"id":"x"}'}  # fmt: skip


def test_a_chain_that_nobody_touched_is_whole(chain: Database) -> None:
    assert fault(chain) is None


def test_a_chain_that_goes_on_while_it_is_looked_at_is_whole(database: Database) -> None:
    with database.write() as connection:
        audit.metadata.create_all(connection)
    append(database, 3)
    signer(database).sign_all()
    with database.snapshot() as connection:
        head = connection.execute(sa.select(audit.heads.c.seq).where(audit.heads.c.tenant == "acme")).scalar_one()
        append(database, 2)
        signer(database).sign_all()
        assert len(audit.read(connection, "acme")) == head
        assert find_fault(connection, "acme", (KEY.public,)) is None
    assert fault(database) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", NOON.replace(year=2020)), ("actor", "bob"), ("action", "x"), ("diff", "{}"), ("diff", b"{}"),
     ("prev_hash", "f" * 64), ("hash", "f" * 64)],
)  # fmt: skip
def test_a_changed_column_is_found(kept: Database, column: str, value: Any) -> None:
    for seq in (1, 3, 4, 7, 8, 10):
        where = (E.c.tenant == "acme", E.c.seq == seq)
        change = E.update().where(*where).values({column: value})
        assert found(kept, run(change)) == Fault(seq, "changed")


@pytest.mark.parametrize("hash", ["f" * 64, "copied"])
def test_whatever_stands_behind_the_chains_end_is_inserted(kept: Database, hash: str) -> None:
    def add(connection: sa.Connection) -> None:
        last = rows_of(connection)[-1]
        made = {**last, "seq": 11} if hash == "copied" else {**forged(11), "prev_hash": last["hash"]}
        connection.execute(E.insert(), [made])

    assert found(kept, add) == Fault(11, "inserted")


def test_an_entry_between_with_its_neighbours_hash_is_inserted(kept: Database) -> None:
    def squeeze(connection: sa.Connection) -> None:
        rows = rows_of(connection)
        behind = [{**r, "seq": r["seq"] + 1} for r in rows[8:]]
        replace(connection, [*rows[:8], {**rows[8], "actor": "mallory"}, *behind])

    assert found(kept, squeeze) == Fault(9, "inserted")


def test_a_chain_that_nobody_began_is_inserted(chain: Database) -> None:
    def begin(connection: sa.Connection) -> None:
        connection.execute(E.insert(), [{**forged(1), "tenant": "nobody"}])

    with chain.write() as connection:
        begin(connection)
    with chain.read() as connection:
        assert find_fault(connection, "nobody") == Fault(1, "inserted")


def test_a_deleted_entry_is_found(kept: Database) -> None:
    for seq in (1, 2, 4, 5, 7, 8, 9, 10):
        gone = E.delete().where(E.c.tenant == "acme", E.c.seq == seq)
        assert found(kept, run(gone)) == Fault(seq, "removed")


def test_a_cut_tail_is_found_also_where_the_head_was_made_to_fit(kept: Database) -> None:
    def cut(connection: sa.Connection, left: int, put: Callable[[sa.Connection, Rows], None] = replace) -> None:
        put(connection, rows_of(connection)[:left])

    for left in (0, 1, 4, 6, 7, 9):
        expected = Fault(left + 1, "removed")
        assert found(kept, partial(cut, left=left)) == expected
        if 0 < left < 7:
            assert found(kept, partial(cut, left=left, put=with_head)) == expected


@pytest.mark.parametrize("columns", [("at", "actor", "action", "diff"), ("at", "diff", "actor", "prev_hash", "hash")])
def test_two_that_were_exchanged_are_found(kept: Database, columns: tuple[str, ...]) -> None:
    def exchange(connection: sa.Connection, one: int, other: int) -> None:
        rows = rows_of(connection)
        a, b = rows[one - 1], rows[other - 1]
        for name in columns:
            a[name], b[name] = b[name], a[name]
        replace(connection, rows)

    for one, other in ((1, 2), (1, 10), (2, 4), (4, 5), (6, 8), (7, 8), (8, 9), (8, 10), (9, 10)):
        assert found(kept, partial(exchange, one=one, other=other)) == Fault(one, "reordered")


def test_an_entry_that_was_given_another_number_is_found(kept: Database) -> None:
    for seq in (1, 3, 6, 8, 9):
        change = E.update().where(E.c.tenant == "acme", E.c.seq == seq).values(seq=99)
        assert found(kept, run(change)) == Fault(seq, "reordered")


@pytest.mark.parametrize("own_hash", [True, False])
def test_an_inserted_entry_is_found(kept: Database, own_hash: bool) -> None:
    def insert(connection: sa.Connection, seq: int) -> None:
        rows = rows_of(connection)
        new = forged(seq)
        if own_hash:
            new = chained([*rows[: seq - 1], new])[-1]
        replace(connection, [*rows[: seq - 1], new, *({**r, "seq": r["seq"] + 1} for r in rows[seq - 1 :])])

    for seq in (1, 4, 6, 7, 9, 10):
        assert found(kept, partial(insert, seq=seq)) == Fault(seq, "inserted")
    assert found(kept, partial(insert, seq=11)) == Fault(11, "inserted")


@pytest.mark.parametrize(("seq", "expected"), [(0, 1), (-3, 1), (2.5, 3), ("x", 11)])
def test_an_entry_with_a_number_that_cannot_be_is_found(kept: Database, seq: Any, expected: int) -> None:
    copied = (
        "insert into audit_entries select tenant, ?, prev_hash, hash, at, actor, action, diff from audit_entries"
        " where tenant = 'acme' and seq = 2"
    )
    assert found(kept, lambda c: c.exec_driver_sql(copied, (seq,))) == Fault(expected, "inserted")


@pytest.mark.parametrize(
    ("change", "seq", "kind"),
    [
        (lambda rows: [*rows[:2], forged(3), *rows[2:]], 3, "inserted"),
        (lambda rows: [*rows[:6], forged(7), *rows[6:]], 7, "inserted"),
        (lambda rows: [*rows[:4], *rows[5:]], 5, "removed"),
        (lambda rows: rows[1:], 1, "removed"),
        (lambda rows: [*rows[:1], {**rows[1], "actor": "bob"}, *rows[2:]], 2, "changed"),
        (lambda rows: [*rows[:5], {**rows[5], "diff": "{}"}, *rows[6:]], 6, "changed"),
        (lambda rows: [rows[0], rows[2], rows[1], *rows[3:]], 2, "reordered"),
        (lambda rows: [*rows[:3], rows[4], rows[3], *rows[5:]], 4, "reordered"),
    ],
)
def test_what_was_signed_is_told_though_all_hashes_were_made_anew(
    kept: Database, change: Callable[[Rows], Rows], seq: int, kind: str
) -> None:
    assert found(kept, lambda c: with_head(c, chained(change(rows_of(c))))) == Fault(seq, kind)


@pytest.mark.parametrize("seq", [9, 10])
def test_a_change_with_its_hash_made_anew_is_told_by_the_next(kept: Database, seq: int) -> None:
    def change(connection: sa.Connection) -> None:
        rows = rows_of(connection)
        rows[seq - 1] = chained([*rows[: seq - 1], {**rows[seq - 1], "actor": "bob"}])[-1]
        replace(connection, rows)

    assert found(kept, change) == Fault(seq, "changed")


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"seq": 9}, "head"), ({"seq": 12}, "head"), ({"hash": "f" * 64}, "changed"), ({"checkpoints": 1}, "head"),
     ({"signed_seq": 3}, "head"), ({"tenant": "x"}, "head")],
)  # fmt: skip
def test_an_edited_head_is_found(kept: Database, change: dict[str, Any], kind: str) -> None:
    edit = H.update().where(H.c.tenant == "acme").values(**change)
    seq = 9 if change.get("seq") == 9 else 10
    assert found(kept, run(edit)) in (Fault(10, kind), Fault(seq, kind))


@pytest.mark.parametrize("n", [1, 2])
def test_an_edited_checkpoint_is_found(kept: Database, n: int) -> None:
    edits: list[dict[str, Any]] = [
        {"first": 2}, {"last": 3}, {"root": "f" * 64}, {"head": "f" * 64}, {"marks": b"x" * 32}, {"prev": "f" * 64},
        {"at": NOON.replace(year=2020)}, {"key": OTHER.public}, {"signature": "A" * 86 + "=="}, {"n": 9},
    ]  # fmt: skip
    for change in edits:
        edit = C.update().where(C.c.n == n).values(**change)
        assert found(kept, run(edit)) == Fault({1: 1, 2: 5}[n], "checkpoint"), change


@pytest.mark.parametrize(("which", "seq"), [((1,), 1), ((2,), 5), ((1, 2), 1)])
def test_a_checkpoint_taken_away_is_found(kept: Database, which: tuple[int, ...], seq: int) -> None:
    assert found(kept, lambda c: c.execute(C.delete().where(C.c.n.in_(which)))) == Fault(seq, "checkpoint")


def test_a_forger_with_a_key_of_his_own_is_told_by_the_key(chain: Database) -> None:
    with chain.write() as connection:
        with_head(connection, chained(rows_of(connection)[2:]))
        connection.execute(C.delete())
        connection.execute(H.update().values(checkpoints=0, signed_seq=0))
    signer(chain, key=OTHER).sign_all()
    assert fault(chain, ()) is None
    assert fault(chain) == Fault(1, "checkpoint")


def roll_back(database: Database) -> None:
    """To how it was at the first checkpoint."""
    with database.write() as connection:
        connection.execute(C.delete().where(C.c.n == 2))
        with_head(connection, rows_of(connection)[:4])
        connection.execute(H.update().where(H.c.tenant == "acme").values(checkpoints=1, signed_seq=4))


def test_a_database_that_was_rolled_back_is_told_by_what_the_home_noted(chain: Database, whole: Path) -> None:
    noted = newest_noted(whole.parent)["acme"]
    assert noted["last"] == 7
    roll_back(chain)
    assert fault(chain) is None
    assert fault(chain, noted=noted) == Fault(5, "checkpoint")


def test_signing_on_after_a_roll_back_leaves_the_note_that_tells_of_it(
    chain: Database, whole: Path, tmp_path: Path
) -> None:
    shutil.copy(whole.parent / NEWEST_FILE, tmp_path)
    roll_back(chain)
    for _ in range(3):
        append(chain, 1)
        assert signer(chain, tmp_path).sign("acme") == 1
    assert fault(chain) is None
    assert fault(chain, noted=newest_noted(tmp_path)["acme"]) == Fault(5, "checkpoint")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_edit_of_anything_stays_unseen(kept: Database, data: Any) -> None:
    table = data.draw(st.sampled_from([E, H, C]))
    column = data.draw(st.sampled_from([c.name for c in table.c]))
    with kept.read() as connection:
        row = data.draw(st.sampled_from(connection.execute(sa.select(table).where(table.c.tenant == "acme")).all()))
    old: Any = getattr(row, column)
    new: Any
    if isinstance(old, bytes):
        new = data.draw(st.binary(max_size=40))
    elif isinstance(old, datetime):
        new = from_us(data.draw(st.integers(0, 2**50)))
    elif isinstance(old, int):
        new = data.draw(st.integers(20, 2**40))
    else:
        new = data.draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
    exact = [c == getattr(row, c.name) for c in table.primary_key.columns]
    edit = table.update().where(*exact).values({column: new})
    assert (found(kept, run(edit)) is None) == (new == old)


def test_checkpoints_come_by_count_and_by_time(chain: Database, tmp_path: Path) -> None:
    def after(minutes: float) -> int:
        return signer(chain, tmp_path, NOON + timedelta(minutes=minutes)).sign_due()

    assert after(1) == 1  # the other tenant's first
    assert after(4.9) == 0
    assert after(5) == 1
    assert after(99) == 0
    append(chain, 1100)
    assert after(5.1) == 2
    assert fault(chain) is None
    with chain.read() as connection:
        h = connection.execute(sa.select(H).where(H.c.tenant == "acme")).one()
    assert (h.seq, h.signed_seq, h.checkpoints) == (1110, 1110, 5)


def test_what_does_not_fit_is_not_signed_and_said_once(chain: Database, caplog: pytest.LogCaptureFixture) -> None:
    with chain.write() as connection:
        connection.execute(E.update().where(E.c.tenant == "acme", E.c.seq == 9).values(actor="bob"))
    made = signer(chain)
    assert [made.sign("acme") for _ in range(3)] == [0, 0, 0]
    assert [r.getMessage() for r in caplog.records] == [
        "the audit chain of acme does not fit after entry 7: it is not signed"
    ]
    assert fault(chain) == Fault(9, "changed")


def test_a_proof_holds_offline_for_what_was_written_and_nothing_else(chain: Database) -> None:
    with chain.read() as connection:
        proofs = [prove(connection, "acme", seq) for seq in range(1, 8)]
        assert prove(connection, "acme", 8) is None
        assert prove(connection, "acme", 99) is None
    for proof in proofs:
        assert proof is not None
        assert fault_of(proof, KEY.public) == ""
        assert fault_of(proof, OTHER.public) != ""
        assert decode(dataclasses.asdict(proof)) == proof
        changes: list[dict[str, Any]] = [
            {"diff": "{}"},
            {"actor": "x"},
            {"seq": proof.seq + 1},
            {"at_us": 0},
            {"path": []},
        ]
        for change in changes:
            assert fault_of(dataclasses.replace(proof, **change), KEY.public) != ""


def test_the_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    made = audit_key.load({}, tmp_path)
    assert audit_key.load({}, tmp_path).public == made.public == audit_key.find_public({}, tmp_path)
    assert (tmp_path / audit_key.FILE).stat().st_mode & 0o777 == 0o600
    assert audit_key.find_public({}, tmp_path / "nowhere") == ""


def test_it_is_the_same_on_every_database(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        audit.metadata.create_all(connection)
    append(database, 5)
    assert signer(database, tmp_path).sign_due() == 1
    append(database, 2)
    assert fault(database, noted=newest_noted(tmp_path)["acme"]) is None
    with database.read() as connection:
        assert audit.signed_up_to(connection, "acme") == 5
        proof = prove(connection, "acme", 3)
    assert proof is not None
    assert fault_of(proof, KEY.public) == ""
    assert found(database, lambda c: with_head(c, chained(rows_of(c)[1:]))) == Fault(1, "removed")
    assert found(database, run(E.update().where(E.c.seq == 6).values(actor="bob"))) == Fault(6, "changed")
