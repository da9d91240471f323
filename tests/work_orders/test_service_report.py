"""The service report: what it says, that it is the same twice, and that no byte of it can change unseen."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pypdf import PdfReader

from contracts.points import DeviceRows
from plumbing import audit_key, report_check, seal
from plumbing.command_key import CommandKey
from plumbing.report_check import check
from plumbing.runtime import Shared
from plumbing.sql import to_us
from tests.work_orders.conftest import copied
from tests.work_orders.world import TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.adapters import report_pdf
from work_orders.adapters.report_pdf import NoPdf
from work_orders.adapters.service_report import Draft, report
from work_orders.adapters.service_report import draft as draft_of
from work_orders.domain.line_chart import line_chart
from work_orders.queries.service_record import service_record
from work_orders.service import tables as t

OTHER = CommandKey(b"o" * 32)


@dataclass
class Done:
    """A world with a finished job and its report."""

    world: World
    order: str
    key: str
    pdf: bytes


def draft(shared: Shared, tenant: str, order: str, **own: str) -> Draft | None:
    """As api asks for it."""
    found = service_record(shared, tenant, order, **own)
    return None if found is None else draft_of(shared, "", *found)


def readings(world: World) -> None:
    """Two weeks of vibration that rises, and is low after the job."""
    now, begun = world.clock.at, world.only(t.orders).started_at
    at = [now - timedelta(hours=n) for n in range(400, 0, -1)]
    values: list[list[float | None]] = [[7.0 if x < begun else 2.0] for x in at]
    rows = DeviceRows(TENANT, "p1", "pump", "b", ["vibration"], list(range(1, 401)), [to_us(x) for x in at], values, 0)
    world.shared.store.write([rows])


@pytest.fixture(scope="module")
def done(settled_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """The job of a story, done and closed."""
    world = copied(settled_file, tmp_path_factory.mktemp("report"))
    key = audit_key.load({}, world.shared.home).public
    order = world.booked()
    finish(world, order)
    world.clock.at += timedelta(days=2)
    readings(world)
    made = draft(world.shared, TENANT, order)
    assert made is not None
    yield Done(world, order, key, report(world.shared, "", made))
    world.database.close()


def finish(world: World, order: str) -> None:
    """The technician does the job and says what it was."""

    def act(action: str) -> None:
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)

    world.clock.at += timedelta(days=1)
    act("start")
    world.clock.at += timedelta(hours=2)
    for task in world.rows(t.tasks):
        service.task_action(world.shared, TENANT, order, task.n, "begin", TECHNICIAN)
        service.task_action(world.shared, TENANT, order, task.n, "do", TECHNICIAN, result="good <b>")
    act("finish")
    service.record_finding(
        world.shared, TENANT, order, "prevented", TECHNICIAN, as_found="Worn & noisy", replaced=True, serial="SN-77"
    )


def test_it_says_what_was_forecast_done_and_measured(done: Done) -> None:
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(done.pdf)).pages).split())
    for said in ("City waterworks", "Pump 1", "Bearing wear", "Replace both bearings", "Tom", "2 mm/s", "7 mm/s",
                 "Worn & noisy", "good <b>", "SN-77", "the failure was prevented"):  # fmt: skip
        assert said in text, said


def test_the_same_facts_make_the_same_bytes(done: Done) -> None:
    again = draft(done.world.shared, TENANT, done.order)
    assert again is not None
    assert report(done.world.shared, "", again) == done.pdf


def test_a_whole_report_is_intact_and_another_key_is_told(done: Done) -> None:
    found = check(done.pdf, done.key)
    assert (found.fault, found.about) == ("", f"order {done.order}")
    assert found.entries >= 5
    assert "another key" in check(done.pdf, OTHER.public).fault


def test_no_byte_can_change_unseen(done: Done) -> None:
    rng = random.Random(3)
    end = len(done.pdf)
    places = {*rng.sample(range(end), 300), *range(end - 300, end), *range(20)}
    for at in places:
        changed = bytearray(done.pdf)
        changed[at] ^= 1 << rng.randrange(8)
        assert check(bytes(changed), done.key).fault, at
    for changed_at_end in (done.pdf[:-1], done.pdf + b"\n", done.pdf + done.pdf, done.pdf[1:], b"", done.pdf[:900]):
        assert check(changed_at_end, done.key).fault


def test_an_update_appended_by_a_pdf_editor_is_found(done: Done) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter(io.BytesIO(done.pdf), incremental=True)
    writer.add_metadata({"/Title": "Nothing was wrong"})
    out = io.BytesIO()
    writer.write(out)
    assert check(out.getvalue(), done.key).fault
    own = seal.opened(done.pdf)
    assert own is not None
    assert "another key" in check(seal.seal(own.content, OTHER.public, OTHER), done.key).fault


def test_a_forger_without_the_key_cannot_put_another_proof_in(done: Done) -> None:
    """Sealed with the right key, but a proof or record that does not hold."""
    key = audit_key.load({}, done.world.shared.home)
    whole = seal.opened(done.pdf)
    assert whole is not None
    files = report_check._attached(whole.content)
    record, proof = files[report_check.RECORD_FILE], msgspec.json.decode(files[report_check.PROOF_FILE])
    bent: Any = msgspec.json.decode(msgspec.json.encode(proof))
    bent["proofs"][1]["actor"] = "somebody else"
    cases = [
        ({report_check.RECORD_FILE: record}, "missing"),
        ({report_check.RECORD_FILE: record + b" ", report_check.PROOF_FILE: files[report_check.PROOF_FILE]}, "record"),
        ({report_check.RECORD_FILE: record, report_check.PROOF_FILE: msgspec.json.encode(bent)}, "does not stand"),
    ]
    from pypdf import PdfWriter

    for attached, fault in cases:
        writer = PdfWriter()
        writer.add_blank_page(100, 100)
        for name, data in attached.items():
            writer.add_attachment(name, data)
        out = io.BytesIO()
        writer.write(out)
        assert fault in check(seal.seal(out.getvalue(), key.public, key), done.key).fault


def test_what_the_company_says_to_itself_does_not_go_out(done: Done) -> None:
    whole = seal.opened(done.pdf)
    assert whole is not None
    proof = msgspec.json.decode(report_check._attached(whole.content)[report_check.PROOF_FILE])
    actions = {p["action"] for p in proof["proofs"]}
    assert "order_opened" in actions
    assert not {a for a in actions if a.startswith(("case", "decision", "notice", "note"))}


def test_others_get_no_report(done: Done) -> None:
    shared = done.world.shared
    assert draft(shared, TENANT, done.order, customer_id="brewery") is None
    assert draft(shared, TENANT, done.order, technician_id="uwe") is None
    assert draft(shared, TENANT, "WO-none") is None
    assert draft(shared, TENANT, done.order, customer_id="waterworks") is not None


def test_without_the_key_the_page_is_there_and_the_pdf_says_why(done: Done, tmp_path: Path) -> None:
    import dataclasses

    shared = dataclasses.replace(done.world.shared, home=tmp_path)
    made = draft(shared, TENANT, done.order)
    assert made is not None
    assert "Worn &amp; noisy" in made.html()
    with pytest.raises(NoPdf, match="FOREWARN_AUDIT_KEY"):
        report(shared, "", made)
    assert not list(tmp_path.iterdir())


def test_without_pango_it_is_said_what_to_install(done: Done, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "weasyprint.py").write_text("raise OSError('cannot load library libpango')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NoPdf, match="apt-get install libpango"):
        report_pdf.printed("<p>", {}, done.world.clock.at, "x")


def test_nothing_is_fetched(done: Done) -> None:
    page = '<p>x<img src="file:///etc/hostname"><img src="http://127.0.0.1:9/x.png">'
    assert report_pdf.printed(page, {}, done.world.clock.at, "x").startswith(b"%PDF-")


def test_a_chart_has_gaps_and_lines_where_they_belong() -> None:
    t = [0.0, 1, 2, 3, 100, 101]
    drawn = line_chart(
        t, t, t, t, unit="<mm>", span=(0, 120), usual=3, limit=50, visit=(10, 20), day=lambda x: f"{x:g}"
    )
    assert drawn.count("<polyline") == 2
    assert drawn.count('class="usual"') == drawn.count('class="limit"') == drawn.count('class="visit"') == 1
    assert "&lt;mm&gt;" in drawn
    assert "<polyline" not in line_chart([], [], [], [], unit="", span=(0, 1), day=str)
