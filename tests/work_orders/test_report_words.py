"""What people's own words say: a suggestion with its words, silence where it is not clear, urgency that only raises."""

from __future__ import annotations

import sys
from itertools import product

import msgspec
import numpy as np
import pytest

from benchmarks.report_words import judge, phrases, train_sha256
from tests.work_orders.world import CUSTOMER, DISPATCHER, PUMP, TECHNICIAN, TENANT, World, models
from work_orders import service
from work_orders.domain.job import priority_of
from work_orders.domain.machine import NotPermitted
from work_orders.domain.report_component import ENOUGH, OwnCases, PastReport, components_meant
from work_orders.domain.report_reader import SYMPTOMS, URGENCY
from work_orders.domain.report_words import SYMPTOMS as TAPPED
from work_orders.domain.report_words import own_words
from work_orders.domain.requests import RequestKind
from work_orders.queries.report_words import own_cases, words_say
from work_orders.service import tables as t
from work_orders.service.conversation import write_message
from work_orders.service.door import Request, take_request
from work_orders.service.errors import BadInput
from work_orders.service.heeding import call_calm
from work_orders.service.opening import order_visit
from work_orders.service.report_reader import MANIFEST, reader

CLEAR = [
    ("the pump leaks oil at the shaft seal", "leak"),
    ("loud grinding noise from the bearing", "noise"),
    ("it does not start after the power cut", "no_start"),
    ("电机很烫，温度过高", "heat"),
    ("振动很大，整台机器都在抖", "vibration"),
    ("显示屏报故障代码", "display"),
]
UNCLEAR = ["", "???", "qwrtzp xyxyx", "123 456", "\x00\ud83d"]


def test_the_files_belong_together_and_to_the_phrases() -> None:
    manifest = msgspec.json.decode(MANIFEST.read_bytes())
    assert manifest["train_sha256"] == train_sha256()  # else: python -m benchmarks.report_words fit
    assert reader().symptom.names == tuple(SYMPTOMS)
    assert set(reader().urgency.names) == {"no", *URGENCY}
    known = {p.text for p in phrases("train")}
    assert not known & {p.text for p in phrases("held_out")}


def test_reading_needs_no_library_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "scipy"):
        monkeypatch.setitem(sys.modules, name, None)
    reader.cache_clear()
    assert reader().read("it leaks oil at the seal").symptom is not None


@pytest.mark.parametrize(("text", "symptom"), CLEAR)
def test_what_is_clear_is_said_with_its_words(text: str, symptom: str) -> None:
    found = reader().read(text).symptom
    assert found is not None
    assert found.name == symptom
    assert found.words
    assert all(word in text for word in found.words)


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_is_not_clear_is_left_unsaid(text: str) -> None:
    found = reader().read(text)
    assert (found.symptom, found.urgent) == (None, None)


def test_it_does_on_phrases_it_never_saw_about_what_the_docs_say() -> None:
    found = judge(reader())["all"]
    assert found["macro_f1"] > 0.55
    assert found["wrong_of_those_said"] < found["wrong_if_always_said"] - 0.1
    assert found["urgent_found"] > 0.8


def test_what_is_tapped_is_not_read() -> None:
    for tapped in TAPPED.values():
        assert own_words(f"{tapped}. Come soon") == "Come soon"
        assert own_words(tapped) == ""
        assert own_words(f"{tapped} and the lights are out") == f"{tapped} and the lights are out"


def report(world: World, text: str, asset: str = "p1") -> str:
    opened = take_request(world.shared, TENANT, Request(RequestKind.REPORT, asset, text=text), CUSTOMER)
    assert opened.case is not None
    return opened.case


def case_of(world: World, id: str) -> tuple[str, str]:
    (row,) = (c for c in world.rows(t.cases) if c.id == id)
    orders = [o.priority for o in world.rows(t.orders) if o.case_id == id]
    return row.urgent, orders[0] if orders else ""


def test_urgent_words_raise_the_priority_and_calm_words_never_lower_it(world: World) -> None:
    case = report(world, "It squeaks a little, no hurry")
    assert case_of(world, case) == ("", "")
    order_visit(world.shared, TENANT, case, DISPATCHER)
    assert case_of(world, case) == ("", "normal")
    write_message(world.shared, TENANT, case, "Now there is a fire, flames and smoke at the motor!", CUSTOMER)
    assert case_of(world, case) == ("danger", "urgent")
    write_message(world.shared, TENANT, case, "Thank you, all is calm, nothing urgent", CUSTOMER)
    assert case_of(world, case) == ("danger", "urgent")
    assert world.actions().count("urgency_raised") == 1


def test_a_person_may_say_that_it_is_not_urgent_and_words_raise_it_no_more(world: World) -> None:
    case = report(world, "机器着火了，冒烟")
    order_visit(world.shared, TENANT, case, DISPATCHER)
    assert case_of(world, case) == ("danger", "urgent")
    for actor in (CUSTOMER, TECHNICIAN):
        with pytest.raises(NotPermitted):
            call_calm(world.shared, TENANT, case, actor)
    call_calm(world.shared, TENANT, case, DISPATCHER)
    assert case_of(world, case) == ("judged", "normal")
    with pytest.raises(BadInput):
        call_calm(world.shared, TENANT, case, DISPATCHER)
    write_message(world.shared, TENANT, case, "Fire! Smoke!", CUSTOMER)
    assert case_of(world, case) == ("judged", "normal")


@pytest.mark.parametrize("criticality", ["A", "B"])
def test_no_words_make_anything_less_urgent(criticality: str) -> None:
    order = ["normal", "high", "urgent"]
    for broken in (False, True):
        calm, urgent = (priority_of(broken, said, criticality) for said in (False, True))
        assert order.index(urgent) >= order.index(calm)
        assert urgent == "urgent"


def test_components_by_the_models_own_words_and_by_the_symptom() -> None:
    assert [name for name, _ in components_meant(PUMP, "I think the bearings are worn", "")] == ["bearing"]
    assert components_meant(PUMP, "it is odd", "") == ()
    assert {name for name, _ in components_meant(PUMP, "it shakes", "vibration")} == {"bearing", "seal"}
    assert components_meant(PUMP, "bearing or seal, who knows", "") == ()


def test_own_cases_speak_once_there_are_enough_and_of_what_is_alike() -> None:
    words = {
        "seal": (("oil", "grease", "fluid"), ("drops", "runs", "drips"), ("under the shaft", "onto the floor")),
        "bearing": (("growls", "rumbles", "grates"), ("deeply", "all day", "at night"), ("in hall 2", "by the gate")),
    }
    texts = [(part, " ".join(said)) for part, of in words.items() for said in product(*of)]
    past = tuple(PastReport(f"C-{n}", text, part) for n, (part, text) in enumerate(texts))
    assert len(past) >= ENOUGH
    assert OwnCases(reader(), past[: ENOUGH - 1]).read("oil drips from the shaft") is None
    found = own_cases(past).read("oil drops under the big shaft")
    assert found is not None
    assert (found.component, found.right >= 0.9) == ("seal", True)
    assert own_cases(past).read("the invoice is wrong") is None
    any_of = np.random.default_rng(3).integers(2, size=len(past))
    mixed = tuple(PastReport(p.case_id, p.text, ("seal", "bearing")[n]) for n, p in zip(any_of, past, strict=True))
    assert own_cases(mixed).read("oil drops under the big shaft") is None  # its own cases say nothing of it


def test_the_dispatcher_reads_why(world: World) -> None:
    case = report(world, "The mechanical seal leaks oil")
    with world.database.read() as connection:
        found = words_say(connection, TENANT, case, models)
    assert found is not None
    assert (found.symptom, found.raised, found.alike) == ("A leak", False, None)
    assert [name for name, _, _ in found.components] == ["seal"]
    silent = service.take_prediction(world.shared, world.forecast(device="p2"))
    assert silent
    with world.database.read() as connection:
        assert words_say(connection, TENANT, "C-none", models) is None
