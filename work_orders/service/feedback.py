"""Actions from feedback: who sees to a bad answer or a complaint, by when, and what he did.

What was done is said to the customer in the conversation of his case; whether that also leaves by mail is for his
consent to decide, as with every message.
"""

from dataclasses import replace
from datetime import datetime

import msgspec

from plumbing.runtime import Shared
from work_orders.domain.contact_rules import Purpose
from work_orders.domain.feedback import FEEDBACK, FeedbackAction, FeedbackState, due, why_bad
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.feedback_tables import feedback_actions
from work_orders.service.sla import answered
from work_orders.service.telling import customer_name, facts_of, message_id, say
from work_orders.service.unit import Row, Unit, derived_id, unit

SURVEY, COMPLAINT = "survey", "complaint"
MOST_DAYS = 90
MOST_TEXT = 2000


def heed_survey(
    work: Unit, survey: Row, asset_id: str, *, satisfied: int, recommends: int | None, effort: int | None, words: str
) -> None:
    """A survey was answered: a bad answer is somebody's from now on."""
    why = why_bad(satisfied, recommends, effort, words)
    if why:
        _begin(work, SURVEY, survey.order_id, survey.case_id, asset_id, survey.customer_id, why, words)


def heed_complaint(work: Unit, case: Row, words: str) -> None:
    """A complaint came in."""
    _begin(work, COMPLAINT, case.id, case.id, case.asset_id, case.customer_id, "he complained", words)


def _begin(
    work: Unit, source: str, source_id: str, case_id: str, asset_id: str, customer_id: str | None, why: str, words: str
) -> None:
    """One action of a survey or complaint, however often the customer says it; said again after it was done, it is
    open again."""
    id, policy = derived_id("F", work.tenant, source, source_id), work.policy()
    until = due(work.now, policy.feedback_days)
    said = {"why": why[:300], "words": words[:MOST_TEXT]}
    if work.insert_new(
        feedback_actions, id=id, source=source, source_id=source_id, case_id=case_id, asset_id=asset_id,
        customer_id=customer_id, owner=policy.feedback_owner, due_at=until, state=FeedbackState.OPEN,
        opened_at=work.now, done_at=None, done_by="", done="", version=1, **said,
    ):  # fmt: skip
        text = f"{policy.feedback_owner or 'Somebody'} must see to it by {until:%Y-%m-%d}: {why}."
        work.record("feedback_opened", asset_id, id, text, case=case_id, owner=policy.feedback_owner)
        return
    before = work.one(feedback_actions, id, "action")
    if before.state == FeedbackState.DONE:
        _reopen(work, before, Role.SYSTEM, f"he says again: {why}")
    work.update(feedback_actions, {"id": id}, **said)


def feedback_action(
    shared: Shared, tenant: str, id: str, action: str, actor: Actor, *, owner: str = "", due_at: datetime | None = None,
    text: str = "", version: int | None = None,
) -> str:  # fmt: skip
    """`give` it to an owner (nobody named = whoever does it) and, if said, until another time; `finish` it with what
    was done, which the customer reads; `reopen` it with the reason. Returns its state.

    Raises IllegalTransition, NotPermitted, NotFound, BadInput, Stale.
    """
    try:
        wanted = FeedbackAction(action)
    except ValueError as problem:
        raise BadInput("action", f"{action!r} must be one of {', '.join(FeedbackAction)}") from problem
    said = text.strip()
    if len(said) > MOST_TEXT:
        raise BadInput("text", f"must be at most {MOST_TEXT} characters")
    with unit(shared, tenant, actor) as work:
        row = work.one(feedback_actions, id, "action")
        work.check_version(row, version)
        state = FEEDBACK.step(FeedbackState(row.state), wanted, actor.role)
        if wanted is FeedbackAction.GIVE:
            _give(work, row, owner.strip() or actor.name, due_at or row.due_at)
        elif not said:
            raise BadInput("text", "say what was done" if wanted is FeedbackAction.FINISH else "say why")
        elif wanted is FeedbackAction.FINISH:
            _finish(work, row, said)
        else:
            _reopen(work, row, actor.role, said)
        return str(state)


def _give(work: Unit, row: Row, owner: str, due_at: datetime) -> None:
    if len(owner) > 200:
        raise BadInput("owner", "must be at most 200 characters")
    work.update(feedback_actions, {"id": row.id}, owner=owner, due_at=due_at)
    text = f"{owner} sees to it by {due_at:%Y-%m-%d}: {row.why}."
    work.record("feedback_given", row.asset_id, row.id, text, case=row.case_id, owner=owner)


def _finish(work: Unit, row: Row, done: str) -> None:
    work.update(
        feedback_actions, {"id": row.id}, state=FeedbackState.DONE, done=done, done_at=work.now,
        done_by=work.actor.name, owner=row.owner or work.actor.name,
    )  # fmt: skip
    if row.customer_id is not None:
        asset = work.one(t.assets, row.asset_id, "asset")
        facts = facts_of(work, asset.name, customer_name(work, row.customer_id), f"/my-cases/{row.case_id}")
        facts.update(said=done, author=work.actor.name)
        id = message_id(work, "feedback", row.id, row.version)
        say(work, "reply", Purpose.SERVICE, id, row.case_id, row.customer_id, facts, author=work.actor.name)
        answered(work, row.case_id)
    text = f"{work.actor.name} saw to it ({row.why}): {done[:200]}"
    work.record("feedback_done", row.asset_id, row.id, text, case=row.case_id)


def _reopen(work: Unit, row: Row, role: Role, why: str) -> None:
    state = FEEDBACK.step(FeedbackState(row.state), FeedbackAction.REOPEN, role)
    until = due(work.now, work.policy().feedback_days)
    work.update(feedback_actions, {"id": row.id}, state=state, due_at=until, done_at=None)
    text = f"It must be seen to again by {until:%Y-%m-%d}: {why[:200]}."
    work.record("feedback_reopened", row.asset_id, row.id, text, case=row.case_id)


def set_feedback_rule(shared: Shared, tenant: str, owner: str, days: int, actor: Actor) -> None:
    """Whose new actions are from now on ("" = nobody's until somebody takes them), and within how many days."""
    if actor.role not in (Role.ADMIN, Role.SYSTEM):
        raise NotPermitted(actor.role, "say whose feedback is", (Role.ADMIN,))
    if not 1 <= days <= MOST_DAYS:
        raise BadInput("days", f"must lie between 1 and {MOST_DAYS}")
    if len(owner.strip()) > 200:
        raise BadInput("owner", "must be at most 200 characters")
    with unit(shared, tenant, actor) as work:
        policy = replace(work.policy(), feedback_owner=owner.strip(), feedback_days=days)
        work.keep_policy(policy)
        text = f"Feedback is for {owner.strip() or 'whoever takes it'}, within {days} days."
        work.record("policy_set", "", "policy", text, policy=msgspec.to_builtins(policy))
