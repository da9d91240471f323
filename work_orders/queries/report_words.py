"""What people's words say of a case, for the dispatcher: a suggestion with the words that make it, worked out when he
looks and kept nowhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from contracts.asset_model import AssetModel
from work_orders.domain.report_component import Alike, OwnCases, PastReport, components_meant
from work_orders.domain.report_reader import SYMPTOMS, URGENCY
from work_orders.domain.report_words import own_words
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.report_reader import reader

PAST = 500
"""So many of the newest closed cases of an asset model are compared with."""
_FROM_PEOPLE = ("report", "phone", "breakdown", "email", "external")


@dataclass(frozen=True, slots=True)
class WordsSay:
    """`symptom` and `urgent` "" = not clear enough. `components`: (name, title, why). `raised`: the case is urgent by
    somebody's words, and no person has said otherwise. `alike`: what the company's own cases say, if there are enough.
    """

    symptom: str
    p: float
    words: Sequence[str]
    urgent: str
    urgent_words: Sequence[str]
    raised: bool
    components: Sequence[tuple[str, str, str]]
    alike: Alike | None
    alike_title: str


def words_say(
    connection: sa.Connection, tenant: str, case_id: str, models: Callable[[str], AssetModel | None]
) -> WordsSay | None:
    """None = nobody said anything, or there is no such case."""
    r, c, a = d.requests.c, t.cases.c, t.assets.c
    said = [
        own for x in connection.execute(
            sa.select(r.text).where(r.tenant == tenant, r.case_id == case_id, r.kind.in_(_FROM_PEOPLE))
            .order_by(r.taken_at)
        ).scalars() if (own := own_words(x).strip())
    ]  # fmt: skip
    case = connection.execute(
        sa.select(c.urgent, a.model).join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .where(c.tenant == tenant, c.id == case_id)
    ).first()  # fmt: skip
    model = models(case.model) if case is not None else None
    if not said or case is None or model is None:
        return None
    text = "\n".join(said)
    found = reader().read(text)
    symptom = found.symptom
    titles = {name: component.title for name, component in model.components.items()}
    meant = components_meant(model, text, symptom.name if symptom else "")
    alike = own_cases(_past(connection, tenant, case.model, case_id)).read(text)
    return WordsSay(
        SYMPTOMS[symptom.name] if symptom else "", symptom.p if symptom else 0.0, symptom.words if symptom else (),
        URGENCY[found.urgent.name] if found.urgent else "", found.urgent.words if found.urgent else (),
        case.urgent in URGENCY, [(name, titles[name], why) for name, why in meant], alike,
        titles.get(alike.component, alike.component) if alike else "",
    )  # fmt: skip


def _past(connection: sa.Connection, tenant: str, model: str, but: str) -> tuple[PastReport, ...]:
    """First words of the newest closed cases whose finding was no false alarm."""
    r, c, a, f = d.requests.c, t.cases.c, t.assets.c, t.findings.c
    rows = connection.execute(
        sa.select(c.id, r.text, f.component)
        .join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .join(d.requests, sa.and_(r.tenant == c.tenant, r.case_id == c.id, r.kind.in_(_FROM_PEOPLE), r.text != ""))
        .join(t.findings, sa.and_(f.tenant == c.tenant, f.case_id == c.id, f.superseded_at.is_(None)))
        .where(
            c.tenant == tenant,
            a.model == model,
            c.closed_at.is_not(None),
            c.id != but,
            f.component != "",
            f.result.in_(("true", "prevented", "missed")),
        )
        .order_by(c.closed_at.desc(), c.id, r.taken_at.desc())
        .limit(PAST)
    )
    return tuple({x.id: PastReport(x.id, own_words(x.text), x.component) for x in rows}.values())


@lru_cache(maxsize=16)
def own_cases(past: tuple[PastReport, ...]) -> OwnCases:
    """Comparing them all takes a moment: once, until another case is closed."""
    return OwnCases(reader(), past)
