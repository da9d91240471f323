"""After the job: surveys, and what they came to."""

from collections.abc import Sequence

from api.owners.commands import actor_of, refusals
from api.problems import bad_field, not_found
from api.roles import Principal, Role
from plumbing.runtime import Shared
from work_orders.queries import aftercare
from work_orders.queries.aftercare import CheckRow, Said, SurveyRow
from work_orders.service.aftercare import SCALES, answer_survey


class Aftercare:
    """Of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def waiting(self, who: Principal) -> Sequence[SurveyRow]:
        """Surveys that the customer can answer now."""
        if who.role is not Role.CUSTOMER:
            return ()
        now = self._shared.clocks.of(who.tenant).now()
        with self._shared.database.read() as connection:
            return aftercare.surveys(connection, who.tenant, customer_id=who.subject, open_at=now, limit=3)

    def survey(self, who: Principal, order: str) -> SurveyRow:
        """The customer's survey of a job. Raises Problem."""
        with self._shared.database.read() as connection:
            found = aftercare.surveys(connection, who.tenant, customer_id=who.subject, order_id=order)
        if not found:
            raise not_found("survey")
        return found[0]

    def answer(self, who: Principal, order: str, fields: dict[str, str]) -> None:
        """The customer says how it was."""
        self.survey(who, order)
        given: dict[str, int | None] = {}
        for name in SCALES:
            value = fields.get(name, "")
            if value and not (value.isdecimal() and len(value) <= 2):
                raise bad_field(name, value, "must be a whole number")
            given[name] = int(value) if value else None
        satisfied = given["satisfied"]
        if satisfied is None:
            raise bad_field("satisfied", "", "choose 1 to 5")
        with refusals():
            answer_survey(
                self._shared, who.tenant, order, actor_of(self._shared, who), satisfied=satisfied,
                recommends=given["recommends"], effort=given["effort"], words=fields.get("words", ""),
            )  # fmt: skip

    def said(self, who: Principal) -> tuple[Said, Sequence[SurveyRow]]:
        """What customers said, and the newest surveys."""
        with self._shared.database.read() as connection:
            return aftercare.said(connection, who.tenant), aftercare.surveys(connection, who.tenant)

    def checks(self, who: Principal, case: str) -> Sequence[CheckRow]:
        """The checks of a case's repairs."""
        with self._shared.database.read() as connection:
            return aftercare.checks(connection, who.tenant, case)
