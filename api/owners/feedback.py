"""Actions from feedback, for whoever sees to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.owners.commands import actor_of, refusals
from api.problems import not_found
from api.roles import Principal, Role
from api.views import Chore
from plumbing.runtime import Shared
from work_orders.queries import feedback
from work_orders.queries.feedback import FeedbackRow
from work_orders.queries.paging import Page
from work_orders.service.feedback import feedback_action, set_feedback_rule


@dataclass(frozen=True, slots=True)
class FeedbackPage:
    """What is open, what was done lately, and the rule for new ones."""

    open: Sequence[FeedbackRow]
    done: Sequence[FeedbackRow]
    owner: str
    days: int


class FeedbackActions:
    """Of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def _now(self, who: Principal) -> datetime:
        return self._shared.clocks.of(who.tenant).now()

    def page(self, who: Principal) -> FeedbackPage:
        """All that a page shows."""
        with self._shared.database.read() as connection:
            now = self._now(who)
            return FeedbackPage(
                feedback.to_see_to(connection, who.tenant, now),
                feedback.feedback_actions_of(connection, who.tenant, now, state="done", limit=20).items,
                *feedback.feedback_rule(connection, who.tenant),
            )

    def items(self, who: Principal, state: str, after: str, limit: int) -> Page[FeedbackRow]:
        """Newest first."""
        with self._shared.database.read() as connection:
            return feedback.feedback_actions_of(
                connection, who.tenant, self._now(who), state=state, after=after or None, limit=limit
            )

    def move(
        self, who: Principal, id: str, action: str, *, owner: str = "", due_at: datetime | None = None, text: str = "",
        version: int | None = None,
    ) -> FeedbackRow:  # fmt: skip
        """give, finish or reopen; the action afterwards."""
        with refusals():
            feedback_action(
                self._shared, who.tenant, id, action, actor_of(self._shared, who), owner=owner, due_at=due_at,
                text=text, version=version,
            )  # fmt: skip
        with self._shared.database.read() as connection:
            found = feedback.feedback_action_of(connection, who.tenant, id, self._now(who))
        if found is None:
            raise not_found("action")
        return found

    def set_rule(self, who: Principal, owner: str, days: int) -> None:
        """Whose new ones are, and within how many days."""
        with refusals():
            set_feedback_rule(self._shared, who.tenant, owner, days, actor_of(self._shared, who))

    def chores(self, who: Principal) -> list[Chore]:
        """What is nobody's yet, and what is overdue: for the desk, which alone can see to it."""
        if who.role not in (Role.DISPATCHER, Role.ADMIN):
            return []
        with self._shared.database.read() as connection:
            rows = feedback.to_see_to(connection, who.tenant, self._now(who))
        return [
            Chore(
                "feedback", r.id, f"{r.asset}: {'overdue, ' if r.overdue else ''}{r.owner or 'nobody sees to it yet'}",
                f"{r.why}. {r.words}".strip(), f"/feedback#{r.id}", "" if r.owner else f"/feedback/{r.id}/give",
                {} if r.owner else {"version": str(r.version)}, "See to it" if r.owner else "I see to it", r.opened_at,
            )
            for r in rows
            if r.overdue or not r.owner
        ]  # fmt: skip
