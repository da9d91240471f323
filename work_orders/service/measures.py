"""The figures of service, each as a SQL view with its formula and its clock.

A view `work_orders_figure_NAME` has a row per event that counts: `tenant`, `at` (epoch microseconds), `month`
(`2026-11`, UTC), `asset_id`, `unit` (a currency, else empty), `part` and `whole`. The figure over any months, assets
or customers is sum(part) / sum(whole); where `whole` is null throughout it is sum(part), and where `per` says so it is
set against the time that machines were on record, which no view can know (time is the tenant's).
"""

from dataclasses import dataclass

PREFIX = "work_orders_figure_"
HOUR_US = 3_600_000_000
_DIALECTS = {
    "sqlite": {
        "month": "strftime('%Y-%m', ({}) / 1000000, 'unixepoch')",
        "json": "CAST(json_extract({}, '$.{}.{}') AS REAL)",
        "text": "json_extract({}, '$.{}')",
    },
    "postgresql": {
        "month": "to_char(to_timestamp(({}) / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM')",
        "json": "CAST(CAST({} AS json) #>> '{{{},{}}}' AS double precision)",
        "text": "CAST({} AS json) ->> '{}'",
    },
}
_ASKED = "('report', 'phone', 'email', 'complaint', 'breakdown')"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure: what it is called, how it comes about, which moment dates it, and the rows that it counts.

    `unit`: share (0 to 1), hours, minutes, count, km, kWh, score, money. `per`: "" | asset_month (events per machine
    and month) | hours_between (machine hours per event). `rows` selects tenant, at, asset_id, unit, part, whole.
    """

    name: str
    title: str
    unit: str
    formula: str
    clock: str
    rows: str
    per: str = ""
    good: str = "more"
    """Which way is better: more or less."""


def _rows(of: str, at: str, part: str, whole: str = "1", *, asset: str = "c.asset_id", unit: str = "''") -> str:
    return (
        f"SELECT c.tenant AS tenant, {at} AS at, {asset} AS asset_id, {unit} AS unit, {part} AS part, {whole} AS whole"
        f" FROM work_orders_cases c {of}"
    )


def _case(table: str, alias: str, more: str = "") -> str:
    """Join what belongs to a case."""
    return f"JOIN {table} {alias} ON {alias}.tenant = c.tenant AND {alias}.case_id = c.id {more}"


_FOUND = _case("work_orders_findings", "f", "AND f.superseded_at IS NULL")
_ORDER = _case("work_orders_orders", "o")
_IS = "CASE WHEN {} THEN 1 ELSE 0 END"
_FORESEEN = "c.decided_by IS NOT NULL AND c.decided_at < COALESCE(c.broke_down_at, f.at)"
_WORKED = (
    "EXISTS (SELECT 1 FROM work_orders_orders w WHERE w.tenant = c.tenant AND w.case_id = c.id"
    " AND w.started_at IS NOT NULL)"
)
_AFAR = f"c.closed_at IS NOT NULL AND c.state = 'closed' AND c.outcome = 'remote' AND NOT {_WORKED}"
_ANSWERED_ONCE = (
    "(SELECT COUNT(*) FROM work_orders_requests r WHERE r.tenant = c.tenant AND r.case_id = c.id"
    f" AND r.kind IN {_ASKED}) + (SELECT COUNT(*) FROM work_orders_messages m WHERE m.tenant = c.tenant"
    " AND m.case_id = c.id AND m.incoming) = 1"
)
_WAS_ASKED = (
    "EXISTS (SELECT 1 FROM work_orders_requests q WHERE q.tenant = c.tenant AND q.case_id = c.id"
    f" AND q.kind IN {_ASKED})"
)


_RECORDED = (  # what the jobs of a case cost, where both was told
    "(SELECT SUM(x.parts_cost + x.other_cost) FROM work_orders_actuals x JOIN work_orders_orders y"
    " ON y.tenant = x.tenant AND y.id = x.order_id WHERE y.tenant = c.tenant AND y.case_id = c.id)"
)


def _both(kind: str) -> str:
    return f"({{json:c.costs:{kind}:customer}} + {{json:c.costs:{kind}:provider}})"


def _bearer(who: str) -> str:
    def cost(kind: str) -> str:
        mine = f"{{json:c.costs:{kind}:{who}}}"
        return f"COALESCE({_RECORDED} * {mine} / NULLIF({_both(kind)}, 0), {mine})"

    return (
        f"CASE c.outcome WHEN 'failed' THEN {{json:c.costs:failure:{who}}}"
        f" WHEN 'prevented' THEN {cost('planned')} ELSE {cost('false_visit')} END"
    )


_PERSON = (  # somebody of the company saw to it: wrote, sent somebody, or solved it from afar
    "(SELECT tenant, case_id, opened_at AS at FROM work_orders_orders UNION ALL SELECT tenant, case_id, at"
    " FROM work_orders_messages WHERE template = 'reply' AND NOT incoming UNION ALL SELECT tenant, id, closed_at"
    " FROM work_orders_cases WHERE outcome = 'remote' AND closed_at IS NOT NULL)"
)
_TURNED_TO = (  # mail stands among the messages
    "(SELECT tenant, case_id, id, taken_at AS at FROM work_orders_requests WHERE kind IN"
    " ('report', 'phone', 'complaint', 'breakdown') UNION ALL SELECT tenant, case_id, id, at"
    " FROM work_orders_messages WHERE incoming)"
)
_RODE = "work_orders_plan_jobs {0} WHERE {0}.tenant = o.tenant AND {0}.order_id = o.id AND {0}.result = 'done'"
_SAVED = (  # a visit that took jobs along saves one trip, however many they are
    _rows("", "c.closed_at", "1", "NULL") + f" WHERE {_AFAR} UNION ALL "
    + _rows(
        _ORDER + " JOIN work_orders_plan_jobs j ON j.tenant = o.tenant AND j.order_id = o.id"
        " JOIN work_orders_plans p ON p.tenant = j.tenant AND p.id = j.plan_id",
        "j.ended_at", "1", "NULL", asset="p.asset_id",
    )
    + " WHERE j.result = 'done' AND j.first_task = (SELECT MIN(e.first_task) FROM " + _RODE.format("e") + ")"
)  # fmt: skip
_PLACE = "COALESCE('site ' || {0}.site_id, 'machine ' || {0}.id)"
_DRIVEN = (  # mean kilometres of the visits to a site
    f"SELECT b.tenant AS tenant, {_PLACE.format('b')} AS place, AVG(x.km) AS km FROM work_orders_actuals x"
    " JOIN work_orders_orders y ON y.tenant = x.tenant AND y.id = x.order_id"
    " JOIN work_orders_assets b ON b.tenant = y.tenant AND b.id = y.asset_id"
    f" WHERE x.km IS NOT NULL GROUP BY b.tenant, {_PLACE.format('b')}"
)
_COSTED = "WHERE c.closed_at IS NOT NULL AND c.outcome IN ('failed', 'prevented', 'found_nothing')"

MEASURES: tuple[Measure, ...] = (
    Measure(
        "forecast_precision", "Forecasts that were right", "share",
        "visits called by a forecast that found damage (true or prevented) / those and the ones that found nothing",
        "when the finding was recorded",
        _rows(_FOUND, "f.at", _IS.format("f.result <> 'false'"))
        + " WHERE f.order_id IS NOT NULL AND c.prediction_id IS NOT NULL"
        " AND f.result IN ('true', 'prevented', 'false')",
    ),
    Measure(
        "forecast_recall", "Failures that had a forecast", "share",
        "failures found or prevented that a forecast had called for / those and the missed ones",
        "when the finding was recorded",
        _rows(_FOUND, "f.at", _IS.format("f.result <> 'missed'"))
        + " WHERE f.result = 'missed' OR (f.result IN ('true', 'prevented') AND c.prediction_id IS NOT NULL)",
    ),
    Measure(
        "failures_foreseen", "Failures decided on before they came", "share",
        "failures and prevented ones whose case a forecast had decided before / all failures and prevented ones",
        "when the finding was recorded",
        _rows(_FOUND, "f.at", _IS.format(_FORESEEN)) + " WHERE f.result IN ('true', 'prevented', 'missed')",
    ),
    Measure(
        "lead_time", "Notice before the failure or its prevention", "hours",
        "mean hours from the decision to act on a forecast to the breakdown or, where it was prevented, to the start of"
        " the work",
        "when the finding was recorded",
        _rows(
            _FOUND + " LEFT JOIN work_orders_orders o ON o.tenant = f.tenant AND o.id = f.order_id", "f.at",
            f"(COALESCE(c.broke_down_at, o.started_at, f.at) - c.decided_at) * 1.0 / {HOUR_US}",
        )
        + f" WHERE f.result IN ('true', 'prevented') AND {_FORESEEN}",
    ),
    Measure(
        "false_orders", "Visits for nothing per machine and month", "count",
        "visits called by a forecast that found nothing / (machines x months on record; a month is 30.44 days)",
        "when the finding was recorded",
        _rows(_FOUND, "f.at", "1", "NULL")
        + " WHERE f.order_id IS NOT NULL AND c.prediction_id IS NOT NULL AND f.result = 'false'",
        "asset_month", "less",
    ),
    Measure(
        "solved_without_visit", "Solved without a visit", "share",
        "closed cases that were solved by a call or from afar, no work begun / closed cases; those whose readings went"
        " back to normal and those that were joined to another are left out",
        "when the case was closed",
        _rows("", "c.closed_at", _IS.format(_AFAR))
        + " WHERE c.closed_at IS NOT NULL AND c.state = 'closed' AND c.outcome <> 'cleared'",
    ),
    Measure(
        "first_time_fix", "Fixed at the first visit", "share",
        "work orders closed without a follow-up / those and the ones that could not be completed or needed one",
        "when the work order ended",
        _rows(
            _ORDER, "o.ended_at",
            _IS.format(
                "o.state = 'closed' AND NOT EXISTS (SELECT 1 FROM work_orders_orders n WHERE n.tenant = o.tenant"
                " AND n.follows = o.id)"
            ),
        )
        + " WHERE o.follows IS NULL AND o.state IN ('closed', 'cannot_complete')",
    ),
    Measure(
        "first_contact_resolution", "Customers who had to say it once", "share",
        "closed cases that a person had reported, in which one report was all that came from outside / all of them",
        "when the case was closed",
        _rows("", "c.closed_at", _IS.format(_ANSWERED_ONCE)) + f" WHERE c.closed_at IS NOT NULL AND {_WAS_ASKED}",
    ),
    Measure(
        "handling_time", "Time on the job", "minutes",
        "mean minutes from the start of a work order's work to its end",
        "when the work was done",
        _rows(_ORDER, "o.finished_at", "(o.finished_at - o.started_at) / 60000000.0")
        + " WHERE o.started_at IS NOT NULL AND o.finished_at IS NOT NULL",
        good="less",
    ),
    Measure(
        "time_to_restore", "From breakdown to restored", "hours",
        "mean hours from a breakdown to the end of the work on it",
        "when the work was done",
        _rows(_ORDER, "o.finished_at", f"(o.finished_at - c.broke_down_at) * 1.0 / {HOUR_US}")
        + " WHERE c.broke_down_at IS NOT NULL AND o.finished_at > c.broke_down_at",
        good="less",
    ),
    Measure(
        "mtbf", "Time between breakdowns", "hours",
        "hours that machines were on record x machines / breakdowns",
        "when it broke down",
        _rows("", "c.broke_down_at", "1", "NULL") + " WHERE c.broke_down_at IS NOT NULL",
        "hours_between",
    ),
    Measure(
        "sla_attainment", "Promised times kept", "share",
        "clocks that were met / clocks that were met or breached",
        "when the clock was met or breached",
        _rows(_case("work_orders_sla_clocks", "k"), "k.decided_at", _IS.format("k.state = 'met'"))
        + " WHERE k.state IN ('met', 'breached')",
    ),
    Measure(
        "escalation_rate", "Clocks that went up the chain", "share",
        "clocks that somebody further up was told of / clocks that were met or breached",
        "when the clock was met or breached",
        _rows(
            _case("work_orders_sla_clocks", "k"), "k.decided_at",
            _IS.format(
                "EXISTS (SELECT 1 FROM work_orders_sla_escalations e WHERE e.tenant = k.tenant AND e.clock_id = k.id)"
            ),
        )
        + " WHERE k.state IN ('met', 'breached')",
        good="less",
    ),
    Measure(
        "wait_for_person", "Wait for a person", "minutes",
        "mean minutes from a customer's wish to be called or for another day to its being dealt with, and from a"
        " report, a call, a complaint or a message to the first answer by a person, work order, or solution from afar",
        "when he asked",
        _rows(
            _case("work_orders_notices", "n")
            + " JOIN work_orders_notice_answers a ON a.tenant = n.tenant AND a.notice_id = n.id",
            "a.at", "(a.handled_at - a.at) / 60000000.0",
        )
        + " WHERE a.kind IN ('call_me', 'propose') AND a.handled_at IS NOT NULL UNION ALL "
        + _rows(
            "JOIN (SELECT r.tenant, r.case_id, r.id, r.at, MIN(e.at) AS seen FROM " + _TURNED_TO + " r JOIN " + _PERSON
            + " e ON e.tenant = r.tenant AND e.case_id = r.case_id AND e.at >= r.at"
            " GROUP BY r.tenant, r.case_id, r.id, r.at) w ON w.tenant = c.tenant AND w.case_id = c.id",
            "w.at", "(w.seen - w.at) / 60000000.0",
        ),
        good="less",
    ),
    Measure(
        "asked_again", "Customers who had to ask again", "share",
        "customers' messages that came before the one before them was answered / customers' messages",
        "when the message came",
        _rows(
            "JOIN (SELECT x.tenant, x.case_id, x.at, x.incoming, LAG(x.incoming) OVER (PARTITION BY x.tenant,"
            " x.conversation_id ORDER BY x.at, x.id) AS earlier FROM work_orders_messages x) m"
            " ON m.tenant = c.tenant AND m.case_id = c.id",
            "m.at", _IS.format("m.earlier"),
        )
        + " WHERE m.incoming",
        good="less",
    ),
    Measure(
        "backlog", "Work orders that are open", "count", "work orders that have not ended", "when it was opened",
        _rows(_ORDER, "o.opened_at", "1", "NULL") + " WHERE o.ended_at IS NULL", good="less",
    ),
    Measure(
        "repeat_visits", "Visits for the same case again", "share",
        "visits that were not the first one of their case / visits made",
        "when the visit began",
        _rows(
            _ORDER + " JOIN work_orders_visits v ON v.tenant = o.tenant AND v.order_id = o.id", "v.start",
            _IS.format(
                "EXISTS (SELECT 1 FROM work_orders_visits y JOIN work_orders_orders z ON z.tenant = y.tenant"
                " AND z.id = y.order_id WHERE y.tenant = v.tenant AND z.case_id = c.id AND y.start < v.start"
                " AND y.state IN ('done', 'no_access', 'incomplete'))"
            ),
        )
        + " WHERE v.state IN ('done', 'no_access', 'incomplete')",
        good="less",
    ),
    Measure(
        "unassigned", "Work orders without a technician", "share",
        "open work orders that may be done and have no technician / open work orders that may be done",
        "when it was opened",
        _rows(_ORDER, "o.opened_at", _IS.format("o.technician_id IS NULL"))
        + " WHERE o.ended_at IS NULL AND o.state NOT IN ('draft', 'awaiting_approval')",
        good="less",
    ),
    Measure(
        "visits_saved", "Visits saved", "count",
        "cases solved by a call or from afar + visits that took along jobs of plans, however many, which would have"
        " been a trip of their own",
        "when the case was closed or the job was done",
        _SAVED,
    ),
    Measure(
        "km_saved", "Kilometres saved", "km",
        "sum over the visits saved of the mean kilometres that technicians said for visits to that site; where nobody"
        " said any, nothing counts",
        "when the case was closed or the job was done",
        f"SELECT s.tenant, s.at, s.asset_id, s.unit, k.km AS part, s.whole FROM ({_SAVED}) s"
        " JOIN work_orders_assets a ON a.tenant = s.tenant AND a.id = s.asset_id"
        f" JOIN ({_DRIVEN}) k ON k.tenant = a.tenant AND k.place = {_PLACE.format('a')}",
    ),
    Measure(
        "kwh_saved", "Energy saved", "kWh",
        "sum over repairs of the power that the machine wasted before, by the newest forecast of the failure mode that"
        " was found, x the hours of the first 7 and 30 days after it of which the readings say that it stayed fixed",
        "when it was looked",
        _rows(
            _case("work_orders_verify_checks", "v"), "v.done_at",
            "v.wasted_kw * 24.0 * (v.days - COALESCE((SELECT MAX(e.days) FROM work_orders_verify_checks e"
            " WHERE e.tenant = v.tenant AND e.order_id = v.order_id AND e.days < v.days), 0))",
            "NULL",
        )
        + " WHERE v.done_at IS NOT NULL AND v.verdict = 'stayed_fixed' AND v.wasted_kw IS NOT NULL",
    ),
    Measure(
        "notices_read", "Notices that were read", "share", "notices opened or answered / notices sent",
        "when the notice was sent",
        _rows(
            _case("work_orders_notices", "n"), "n.sent_at",
            _IS.format("n.read_at IS NOT NULL OR n.answered_at IS NOT NULL"),
        )
        + " WHERE n.sent_at IS NOT NULL",
    ),
    Measure(
        "notices_accepted", "Notices that were accepted", "share", "notices answered with yes / notices sent",
        "when the notice was sent",
        _rows(
            _case("work_orders_notices", "n"), "n.sent_at",
            _IS.format(
                "EXISTS (SELECT 1 FROM work_orders_notice_answers a WHERE a.tenant = n.tenant AND a.notice_id = n.id"
                " AND a.kind = 'accept')"
            ),
        )
        + " WHERE n.sent_at IS NOT NULL",
    ),
    Measure(
        "stayed_fixed",
        "Repairs that lasted",
        "share",
        "looks at the readings 7 and 30 days after a repair that saw no alarm of the component / all such looks",
        "when it was looked",
        _rows(_case("work_orders_verify_checks", "v"), "v.done_at", _IS.format("v.verdict = 'stayed_fixed'"))
        + " WHERE v.done_at IS NOT NULL AND v.verdict IN ('stayed_fixed', 'came_back')",
    ),
    Measure(
        "csat",
        "Customers who were satisfied",
        "share",
        "surveys answered with 4 or 5 of 5 / surveys answered",
        "when the survey was answered",
        _rows(_case("work_orders_surveys", "s"), "s.answered_at", _IS.format("s.satisfied >= 4"))
        + " WHERE s.answered_at IS NOT NULL AND s.satisfied IS NOT NULL",
    ),
    Measure(
        "nps",
        "Would recommend it (NPS)",
        "score",
        "100 x (those who would recommend it with 9 or 10 of 10 - those with 6 or less) / answers, from -100 to 100",
        "when the survey was answered",
        _rows(
            _case("work_orders_surveys", "s"),
            "s.answered_at",
            "CASE WHEN s.recommends >= 9 THEN 100 WHEN s.recommends <= 6 THEN -100 ELSE 0 END",
        )
        + " WHERE s.answered_at IS NOT NULL AND s.recommends IS NOT NULL",
    ),
    Measure(
        "effort",
        "How easy it was",
        "score",
        "mean answer from 1 (a lot of effort) to 7 (none)",
        "when the survey was answered",
        _rows(_case("work_orders_surveys", "s"), "s.answered_at", "s.effort")
        + " WHERE s.answered_at IS NOT NULL AND s.effort IS NOT NULL",
    ),
    Measure(
        "money_saved", "Money saved", "money",
        "sum over failures that were prevented of the failure's cost - the planned visit's, less the cost of visits"
        " that found nothing, all by the machine's model; a failure that came counts 0",
        "when the finding was recorded",
        _rows(
            _FOUND, "f.at",
            f"CASE f.result WHEN 'prevented' THEN {_both('failure')} - {_both('planned')}"
            f" ELSE -{_both('false_visit')} END",
            "NULL", unit="{text:c.costs:currency}",
        )
        + " WHERE f.result IN ('prevented', 'false')",
    ),
    Measure(
        "would_have_opened", "Would have opened a work order", "count",
        "cases that might only be watched and would have opened a work order", "when it would have",
        _rows("", "c.would_have_opened_at", "1", "NULL") + " WHERE c.would_have_opened_at IS NOT NULL",
    ),
    Measure(
        "cost_customer", "Cost of a case to the customer", "money",
        "mean of the customer's share of closed cases that failed, were prevented or found nothing: of the parts and"
        " other costs recorded with the jobs, else (and for what a failure costs) of those of the asset model",
        "when the case was closed",
        _rows("", "c.closed_at", _bearer("customer"), unit="{text:c.costs:currency}") + f" {_COSTED}", good="less",
    ),
    Measure(
        "cost_provider", "Cost of a case to the provider", "money",
        "mean of the provider's share of closed cases that failed, were prevented or found nothing: of the parts and"
        " other costs recorded with the jobs, else (and for what a failure costs) of those of the asset model",
        "when the case was closed",
        _rows("", "c.closed_at", _bearer("provider"), unit="{text:c.costs:currency}") + f" {_COSTED}", good="less",
    ),
)  # fmt: skip
NAMED = {m.name: m for m in MEASURES}


def _filled(rows: str, dialect: str) -> str:
    """The rows with what each database writes in its own way."""
    words = _DIALECTS[dialect]
    out, rest = "", rows
    while "{" in rest:
        before, _, after = rest.partition("{")
        call, _, rest = after.partition("}")
        kind, *parts = call.split(":")
        out += before + words[kind].format(*parts)
    return out + rest


def views(dialect: str) -> dict[str, str]:
    """The statement behind each view, for `sqlite` or `postgresql`."""
    month = _DIALECTS[dialect]["month"].format("at")
    return {
        f"{PREFIX}{m.name}": (
            f"SELECT tenant, at, {month} AS month, asset_id, unit, CAST(part AS double precision) AS part,"
            f" CAST(whole AS double precision) AS whole FROM ({_filled(m.rows, dialect)}) r"
        )
        for m in MEASURES
    }
