"""The figures of service counted row by row, as their formulas say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

Rows = dict[str, list[dict[str, Any]]]
ASKED = ("report", "phone", "email", "complaint", "breakdown")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _hours(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds() / 3600


def figures(rows: Rows, now: datetime) -> dict[str, float | None]:
    """Every figure over all that is there, None where nothing counts."""
    cases = {c["id"]: c for c in rows["cases"]}
    found = [f for f in rows["findings"] if f["superseded_at"] is None]
    orders = rows["orders"]
    of_case = {c: [o for o in orders if o["case_id"] == c] for c in cases}
    called = [f for f in found if f["order_id"] and cases[f["case_id"]]["prediction_id"]]
    months = sum((now - a["added_at"]).total_seconds() for a in rows["assets"]) / 86400 / 30.44
    out: dict[str, float | None] = {}
    out["forecast_precision"] = _mean(
        [f["result"] != "false" for f in called if f["result"] in ("true", "prevented", "false")]
    )
    counted = [
        f
        for f in found
        if f["result"] == "missed" or (f["result"] in ("true", "prevented") and cases[f["case_id"]]["prediction_id"])
    ]
    out["forecast_recall"] = _mean([f["result"] != "missed" for f in counted])
    foreseen, leads = [], []
    for f in found:
        if f["result"] not in ("true", "prevented", "missed"):
            continue
        c = cases[f["case_id"]]
        known = None not in (c["decided_by"], c["decided_at"]) and c["decided_at"] < (c["broke_down_at"] or f["at"])
        foreseen.append(known)
        if known and f["result"] != "missed":
            order = next((o for o in orders if o["id"] == f["order_id"]), None)
            end = c["broke_down_at"] or (order and order["started_at"]) or f["at"]
            leads.append(_hours(end, c["decided_at"]))
    out["failures_foreseen"], out["lead_time"] = _mean(foreseen), _mean(leads)
    out["false_orders"] = sum(f["result"] == "false" for f in called) / months
    ended = [c for c in cases.values() if c["closed_at"] and c["state"] == "closed" and c["outcome"] != "cleared"]
    afar = [c for c in ended if c["outcome"] == "remote" and all(o["started_at"] is None for o in of_case[c["id"]])]
    out["solved_without_visit"] = len(afar) / len(ended) if ended else None
    waiting = [o for o in orders if o["ended_at"] is None and o["state"] not in ("draft", "awaiting_approval")]
    out["unassigned"] = _mean([o["technician_id"] is None for o in waiting])
    out |= saved(rows, afar)
    roots = [o for o in orders if o["follows"] is None and o["state"] in ("closed", "cannot_complete")]
    out["first_time_fix"] = _mean(
        [o["state"] == "closed" and all(n["follows"] != o["id"] for n in orders) for o in roots]
    )
    once = []
    for c in cases.values():
        asked = sum(r["case_id"] == c["id"] and r["kind"] in ASKED for r in rows["requests"])
        said = sum(m["case_id"] == c["id"] and m["incoming"] for m in rows["messages"])
        if c["closed_at"] and asked:
            once.append(asked + said == 1)
    out["first_contact_resolution"] = _mean(once)
    done = [o for o in orders if o["finished_at"]]
    out["handling_time"] = _mean([60 * _hours(o["finished_at"], o["started_at"]) for o in done if o["started_at"]])
    broken = [c for c in cases.values() if c["broke_down_at"]]
    out["time_to_restore"] = _mean(
        [
            _hours(o["finished_at"], c["broke_down_at"])
            for c in broken
            for o in of_case[c["id"]]
            if o["finished_at"] and o["finished_at"] > c["broke_down_at"]
        ]
    )
    out["mtbf"] = months * 30.44 * 24 / len(broken) if broken else None
    clocks = [k for k in rows["clocks"] if k["state"] in ("met", "breached")]
    out["sla_attainment"] = _mean([k["state"] == "met" for k in clocks])
    told = {e["clock_id"] for e in rows["escalations"]}
    out["escalation_rate"] = _mean([k["id"] in told for k in clocks])
    out["wait_for_person"] = _mean(
        [
            60 * _hours(a["handled_at"], a["at"])
            for a in rows["answers"]
            if a["kind"] in ("call_me", "propose") and a["handled_at"]
        ]
        + [60 * wait for wait in waits(rows)]
    )
    again = []
    for conversation in {m["conversation_id"] for m in rows["messages"]}:
        before = False
        for m in sorted(
            (m for m in rows["messages"] if m["conversation_id"] == conversation), key=lambda m: (m["at"], m["id"])
        ):
            if m["incoming"]:
                again.append(before)
            before = m["incoming"]
    out["asked_again"] = _mean(again)
    out["backlog"] = sum(o["ended_at"] is None for o in orders)
    order_case = {o["id"]: o["case_id"] for o in orders}
    made = [v for v in rows["visits"] if v["state"] in ("done", "no_access", "incomplete")]
    out["repeat_visits"] = _mean(
        [
            any(order_case[y["order_id"]] == order_case[v["order_id"]] and y["start"] < v["start"] for y in made)
            for v in made
        ]
    )
    sent = [n for n in rows["notices"] if n["sent_at"]]
    out["notices_read"] = _mean([bool(n["read_at"] or n["answered_at"]) for n in sent])
    yes = {a["notice_id"] for a in rows["answers"] if a["kind"] == "accept"}
    out["notices_accepted"] = _mean([n["id"] in yes for n in sent])
    looked = [v["verdict"] for v in rows["checks"] if v["done_at"] and v["verdict"] in ("stayed_fixed", "came_back")]
    out["stayed_fixed"] = _mean([v == "stayed_fixed" for v in looked])
    said = [s for s in rows["surveys"] if s["answered_at"]]
    out["csat"] = _mean([s["satisfied"] >= 4 for s in said if s["satisfied"] is not None])
    would = [s["recommends"] for s in said if s["recommends"] is not None]
    out["nps"] = _mean([100 * (r >= 9) - 100 * (r <= 6) for r in would])
    out["effort"] = _mean([s["effort"] for s in said if s["effort"] is not None])
    gains = []
    for f in found:
        stake = {kind: sum(json.loads(cases[f["case_id"]]["costs"])[kind].values()) for kind in
                ("failure", "planned", "false_visit")}  # fmt: skip
        if f["result"] in ("prevented", "false"):
            gains.append(stake["failure"] - stake["planned"] if f["result"] == "prevented" else -stake["false_visit"])
    out["money_saved"] = sum(gains) if gains else None
    out["would_have_opened"] = sum(c["would_have_opened_at"] is not None for c in cases.values())
    kinds = {"failed": "failure", "prevented": "planned", "found_nothing": "false_visit"}
    closed = [c for c in cases.values() if c["closed_at"] and c["outcome"] in kinds]
    for bearer in ("customer", "provider"):
        out[f"cost_{bearer}"] = _mean([cost(rows, c, kinds[c["outcome"]], bearer) for c in closed])
    return out


def waits(rows: Rows) -> list[float]:
    """Hours from whatever a customer said to the first thing that a person did."""
    asked = [(r["case_id"], r["taken_at"]) for r in rows["requests"] if r["kind"] in ASKED and r["kind"] != "email"]
    asked += [(m["case_id"], m["at"]) for m in rows["messages"] if m["incoming"]]
    done = [(o["case_id"], o["opened_at"]) for o in rows["orders"]]
    done += [(m["case_id"], m["at"]) for m in rows["messages"] if not m["incoming"] and m["template"] == "reply"]
    done += [(c["id"], c["closed_at"]) for c in rows["cases"] if c["outcome"] == "remote" and c["closed_at"]]
    seen = [(at, [d for of, d in done if of == case and d >= at]) for case, at in asked]
    return [_hours(min(after), at) for at, after in seen if after]


def cost(rows: Rows, case: dict[str, Any], kind: str, bearer: str) -> float:
    """What one of the two bears of a case."""
    known = json.loads(case["costs"])[kind]
    jobs = [o["id"] for o in rows["orders"] if o["case_id"] == case["id"]]
    told = [a for a in rows["actuals"] if a["order_id"] in jobs and None not in (a["parts_cost"], a["other_cost"])]
    if kind == "failure" or not told:
        return float(known[bearer])
    total = sum(a["parts_cost"] + a["other_cost"] for a in told)
    return float(total * known[bearer] / (known["customer"] + known["provider"]))


def saved(rows: Rows, afar: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Visits, kilometres and kilowatt hours that were saved."""
    place = {a["id"]: a["site_id"] or a["id"] for a in rows["assets"]}
    at = {o["id"]: place[o["asset_id"]] for o in rows["orders"]}
    plan_of = {p["id"]: p for p in rows["plans"]}
    trips = [place[c["asset_id"]] for c in afar]
    for order in at:
        rode = [j for j in rows["jobs"] if j["order_id"] == order and j["result"] == "done" and j["first_task"]]
        if rode:
            trips.append(place[plan_of[rode[0]["plan_id"]]["asset_id"]])
    driven: dict[str, list[float]] = {}
    for a in rows["actuals"]:
        if a["km"] is not None:
            driven.setdefault(at[a["order_id"]], []).append(a["km"])
    km = [sum(driven[p]) / len(driven[p]) for p in trips if p in driven]
    held = [v for v in rows["checks"] if v["done_at"] and v["verdict"] == "stayed_fixed"]
    energy = [v["wasted_kw"] * 24 * {7: 7, 30: 23}[v["days"]] for v in held if v["wasted_kw"] is not None]
    return {
        "visits_saved": len(trips), "km_saved": sum(km) if km else None, "kwh_saved": sum(energy) if energy else None
    }  # fmt: skip
