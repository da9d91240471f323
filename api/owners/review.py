"""What a person decides on: orders that wait for a yes, what the product may do by itself, and its log replayed."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.owners.commands import actor_of, refusals
from api.owners.service_work import as_money
from api.owners.words import forecast_of, mode_title
from api.problems import Problem, bad_field, not_found
from api.roles import Principal
from api.views import Forecast, Money
from plumbing.runtime import Shared
from work_orders import queries
from work_orders.domain.autonomy_states import AUTONOMY, Record, advice, breaks_even
from work_orders.domain.machine import Role
from work_orders.domain.money import bill
from work_orders.queries.replaying import Replay, replay
from work_orders.queries.review import ReviewItem, brake, review
from work_orders.service.promoting import RecordChanged, move_autonomy
from work_orders.service.track_record import Promotion, Standing, promotions, standings

SAID = ("right", "wrong", "missed", "faded", "waiting")


@dataclass(frozen=True, slots=True)
class Shown:
    """An order that waits, in words."""

    item: ReviewItem
    mode: str
    model: str
    forecast: Forecast | None
    bills: Sequence[Money]
    chance: str
    record: str


@dataclass(frozen=True, slots=True)
class Level:
    """A line of the autonomy page."""

    standing: Standing
    model: str
    precision: str
    foreseen: str
    advice: str
    actions: Sequence[str]
    seen: str
    """The record as it is shown, to be sent back with a promotion."""


def record_words(record: Record) -> str:
    """A track record in one line."""
    looked = record.right + record.wrong
    if not looked and not record.missed:
        return "Nothing was found out yet about calls for machines of this kind here."
    span = record.interval()
    between = f" (90 % sure: {span[0]:.0%} to {span[1]:.0%})" if span else ""
    return f"{record.right} of {looked} calls were right{between}; {record.missed} failures were missed."


class Reviews:
    """Of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def queue(self, who: Principal) -> tuple[list[Shown], int, int, int]:
        """Orders that wait, how many more there are, orders of a day, the brake's limit."""
        with self._shared.database.read() as connection:
            found = review(connection, who.tenant, self._shared.clocks.of(who.tenant).now())
        return [self._shown(i) for i in found.items], found.more, found.in_a_day, found.limit

    def _shown(self, item: ReviewItem) -> Shown:
        model = self._shared.models(item.model)
        bills = [
            as_money(title, of)
            for name, title in (
                ("failed", "If it fails"), ("prevented", "The planned visit"), ("found_nothing", "A visit for nothing")
            )
            if (of := bill(name, item.costs)) is not None
        ]  # fmt: skip
        p = item.outcome.p if item.outcome else None
        return Shown(
            item, mode_title(model, item.failure_mode) or "reported fault", model.title if model else item.model,
            forecast_of(item.prediction, item.asset_id, model) if item.prediction else None, bills,
            "" if p is None else f"{p:.0%}", record_words(item.record),
        )  # fmt: skip

    def levels(self, who: Principal) -> list[Level]:
        """What the product may do, by model and customer."""
        with self._shared.database.read() as connection:
            found = standings(connection, who.tenant)
        return [self._level(who, s) for s in found]

    def _level(self, who: Principal, s: Standing) -> Level:
        model = self._shared.models(s.model)
        modes = [m for c in model.components.values() for m in c.modes] if model else []
        failure, planned, false_visit = s.costs
        if not any(s.costs):
            failure, planned, false_visit = (
                (
                    sum(x)
                    for x in zip(*((m.failure.total, m.planned.total, m.false_visit.total) for m in modes), strict=True)
                )
                if modes
                else (0.0, 0.0, 0.0)
            )
        even = breaks_even(failure, planned, false_visit)
        of, span = s.record, s.record.interval()
        precision = (
            "–" if of.precision is None or span is None else f"{of.precision:.0%} ({span[0]:.0%} to {span[1]:.0%})"
        )
        return Level(
            s, model.title if model else s.model, precision,
            "–" if of.foreseen is None else f"{of.foreseen:.0%}", advice(of, s.mode, even),
            [str(a) for a in AUTONOMY.allowed(s.mode, Role(who.role.value))],
            ",".join(str(getattr(of, n)) for n in SAID),
        )  # fmt: skip

    def promotions(self, who: Principal) -> Sequence[Promotion]:
        """Who changed it, the newest first."""
        with self._shared.database.read() as connection:
            return promotions(connection, who.tenant)

    def move(self, who: Principal, model: str, customer: str, action: str, seen: str, reason: str) -> str:
        """promote, step_back or stop; the mode afterwards."""
        if action == "promote" and not seen:
            raise bad_field("seen", seen, "the record on which more is allowed, as it is shown")
        parts = seen.split(",") if seen else ["0"] * len(SAID)
        if len(parts) != len(SAID) or not all(p.isdecimal() and len(p) < 10 for p in parts):
            raise bad_field("seen", seen, "the record that the page showed")
        with refusals():
            try:
                return str(
                    move_autonomy(
                        self._shared, who.tenant, model, customer, action, Record(*map(int, parts)),
                        actor_of(self._shared, who), reason=reason,
                    )
                )  # fmt: skip
            except RecordChanged as no:
                raise Problem(409, f"{no}.", field="seen", rule="the newest record") from no

    def replay(self, who: Principal, case: str) -> Replay:
        """The decisions of a tenant, or of a case, decided again."""
        with self._shared.database.read() as connection:
            if case and queries.case(connection, who.tenant, case, decisions=1) is None:
                raise not_found("case")
            return replay(connection, who.tenant, case_id=case or None)

    def brake(self, who: Principal) -> tuple[int, int]:
        """Orders of a day, and how many may go without a person."""
        with self._shared.database.read() as connection:
            return brake(connection, who.tenant, self._shared.clocks.of(who.tenant).now())
