"""Actions from feedback: a bad answer or a complaint is somebody's by a day, and the customer reads what was done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.work_orders.test_aftercare import mended
from tests.work_orders.test_sending import Mail
from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, ENGINEER, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.feedback import FEEDBACK, FeedbackAction, FeedbackState, why_bad
from work_orders.domain.machine import Actor, IllegalTransition, NotPermitted, Role
from work_orders.domain.requests import RequestKind
from work_orders.queries.feedback import to_see_to
from work_orders.service import message_tables as m
from work_orders.service.aftercare import answer_survey
from work_orders.service.contacts import give_consent
from work_orders.service.door import Request, take_request
from work_orders.service.errors import BadInput, Stale
from work_orders.service.feedback import feedback_action, set_feedback_rule
from work_orders.service.feedback_tables import feedback_actions
from work_orders.service.sending import WEB

ANSWERS = [
    (5, None, None, "", False),
    (4, 9, 6, "It was late, but fine", False),
    (3, None, None, " ", False),
    (3, None, None, "Nobody called", True),
    (2, None, None, "", True),
    (5, 6, None, "", True),
    (5, 7, 3, "", False),
    (5, None, 2, "", True),
]
OFFICE = {Role.DISPATCHER, Role.ADMIN}
WHO = {
    (FeedbackState.OPEN, FeedbackAction.GIVE): (FeedbackState.OPEN, OFFICE),
    (FeedbackState.OPEN, FeedbackAction.FINISH): (FeedbackState.DONE, OFFICE),
    (FeedbackState.DONE, FeedbackAction.REOPEN): (FeedbackState.OPEN, OFFICE | {Role.SYSTEM}),
}


@pytest.mark.parametrize(("satisfied", "recommends", "effort", "words", "bad"), ANSWERS)
def test_which_answers_somebody_must_see_to(
    satisfied: int, recommends: int | None, effort: int | None, words: str, bad: bool
) -> None:
    assert bool(why_bad(satisfied, recommends, effort, words)) is bad


@pytest.mark.parametrize("state", FeedbackState)
@pytest.mark.parametrize("action", FeedbackAction)
def test_who_may_do_what_in_which_state(state: FeedbackState, action: FeedbackAction) -> None:
    for role in Role:
        if (state, action) not in WHO:
            with pytest.raises(IllegalTransition):
                FEEDBACK.step(state, action, role)
            continue
        to, roles = WHO[state, action]
        if role in roles:
            assert FEEDBACK.step(state, action, role) is to
        else:
            with pytest.raises(NotPermitted):
                FEEDBACK.step(state, action, role)


def move(world: World, action: str, actor: Actor = DISPATCHER, **more: Any) -> str:
    return feedback_action(world.shared, TENANT, world.only(feedback_actions).id, action, actor, **more)


def test_a_bad_answer_is_given_seen_to_and_told(world: World) -> None:
    order = mended(world)
    answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=5)
    assert not world.rows(feedback_actions)
    set_feedback_rule(world.shared, TENANT, "Dora", 2, ADMIN)
    answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=1, words="He left oil on the floor")
    row = world.only(feedback_actions)
    assert (row.source, row.source_id, row.owner, row.words) == ("survey", order, "Dora", "He left oil on the floor")
    assert row.due_at == world.clock.at + timedelta(days=2)
    for actor in (TECHNICIAN, ENGINEER, CUSTOMER):
        with pytest.raises(NotPermitted):
            move(world, "finish", actor, text="Nothing")
    with pytest.raises(BadInput, match="what was done"):
        move(world, "finish", text=" ")
    move(world, "give", owner="Hanna", version=row.version)
    with pytest.raises(Stale):
        move(world, "finish", text="We cleaned it.", version=row.version)
    world.clock.at += timedelta(days=2)
    with world.database.read() as connection:
        (shown,) = to_see_to(connection, TENANT, world.clock.at)
    assert (shown.owner, shown.overdue) == ("Hanna", True)
    assert move(world, "finish", text="We cleaned it, and we are sorry.") == "done"
    with world.database.read() as connection:
        assert to_see_to(connection, TENANT, world.clock.at) == ()
    said = [r for r in world.rows(m.messages) if r.template == "reply"]
    assert [(r.words, r.customer_id, r.incoming) for r in said] == [
        ("We cleaned it, and we are sorry.", "waterworks", False)
    ]
    told = [a for a in world.actions() if a.startswith("feedback_")]
    assert told == ["feedback_opened", "feedback_given", "feedback_done"]


def test_said_again_after_it_was_done_it_is_open_again_and_never_twice(world: World) -> None:
    order = mended(world)
    for words in ("Late", "Very late"):
        answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=2, words=words)
    assert world.only(feedback_actions).words == "Very late"
    move(world, "finish", text="We called him.")
    answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=1, words="Nobody called")
    row = world.only(feedback_actions)
    assert (row.state, row.words, row.done_at) == ("open", "Nobody called", None)
    move(world, "finish", text="Now we did.")
    assert len([r for r in world.rows(m.messages) if r.template == "reply"]) == 2


@pytest.mark.parametrize("agreed", [True, False])
def test_whether_the_answer_to_a_complaint_leaves_by_mail_is_for_the_customer_to_say(
    world: World, agreed: bool
) -> None:
    give_consent(world.shared, TENANT, "waterworks", "service", "mail", agreed, CUSTOMER)
    asked = Request(RequestKind.COMPLAINT, "p1", text="The invoice is wrong, and nobody answers")
    for _ in range(2):
        take_request(world.shared, TENANT, asked, CUSTOMER)
    row = world.only(feedback_actions)
    assert (row.source, row.owner, row.words) == ("complaint", "", "The invoice is wrong, and nobody answers")
    move(world, "give")
    assert world.only(feedback_actions).owner == "Dora"
    move(world, "finish", text="It is put right.")
    mail = Mail()
    world.clock.at += timedelta(hours=13)
    service.tick(world.shared, TENANT, (mail, WEB))
    assert [x.text.count("It is put right.") for x in mail.sent] == [1] * agreed
    assert [r.words for r in world.rows(m.messages)] == ["It is put right."]
