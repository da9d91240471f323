"""How far a case is, in plain sentences for the customer: from the states that there are, nothing of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from work_orders.domain.case_states import CaseState, VisitState
from work_orders.domain.order_states import OrderState


@dataclass(frozen=True, slots=True)
class VisitFact:
    """A visit: its state, when it is, who comes."""

    state: VisitState
    words: str
    technician: str
    ended_at: datetime | None
    arrives: str = ""
    """In how many minutes, while he is on the way and it is told."""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What is known of a case; None = has not happened."""

    state: CaseState
    asset: str
    kind: str
    opened_at: datetime
    seen_at: datetime | None
    proposed_at: datetime | None
    answered_at: datetime | None
    order: OrderState | None
    started_at: datetime | None
    finished_at: datetime | None
    visits: Sequence[VisitFact]
    result: str
    closed_at: datetime | None
    declined: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way: `at` when it was reached (None = not noted), `done` or still to come."""

    name: str
    text: str
    done: bool
    at: datetime | None = None


_OVER = (VisitState.CANCELLED, VisitState.REJECTED)
_UNDER_WAY = (VisitState.EN_ROUTE, VisitState.ON_SITE, VisitState.DONE, VisitState.NO_ACCESS, VisitState.INCOMPLETE)


def steps(facts: CaseFacts, language: str = "en") -> tuple[Step, ...]:
    """The way of a case, what is behind first; what can no longer come is left out."""
    say = WORDS[language]
    by_people = facts.kind not in ("forecast", "preventive", "recall")
    first = say["reported"] if by_people else say["seen"].format(facts.asset)
    if facts.kind in ("preventive", "recall"):
        first = say[facts.kind].format(facts.asset)
    out = [Step("reported" if by_people else "seen", first, True, facts.opened_at)]
    if facts.state is CaseState.MERGED:
        return (*out, Step("merged", say["merged"], True, facts.closed_at))
    if facts.seen_at is not None:
        out.append(Step("judged", say["judged"], True, facts.seen_at))
    if facts.proposed_at is not None:
        out.append(Step("proposed", say["proposed"], True, facts.proposed_at))
    if facts.state is CaseState.DECLINED or facts.declined:
        text = say["declined for"].format(facts.declined) if facts.declined else say["declined"]
        return (*out, Step("declined", text, True, facts.answered_at))
    visit = next((v for v in reversed(facts.visits) if v.state not in _OVER), None)
    over = facts.closed_at is not None
    out.extend(_visit(facts, visit, over, say))
    done = facts.finished_at is not None or bool(facts.result)
    if done or not over:
        text = say["done" if done else "to be done"]
        foretold = facts.kind == "forecast" or facts.proposed_at is not None
        result = "nothing" if facts.result == "false" and not foretold else facts.result
        out.append(Step("done", f"{text} {say.get(result, '')}".strip(), done, facts.finished_at))
    if over and not done:
        out.append(Step("cleared", say["cleared" if facts.kind == "forecast" else "settled"], True, facts.closed_at))
    elif facts.state is CaseState.VERIFYING:
        out.append(Step("verified", say["verifying"], False))
    else:
        out.append(Step("verified", say["over" if over else "to be verified"], over, facts.closed_at))
    return tuple(out)


def _visit(facts: CaseFacts, visit: VisitFact | None, over: bool, say: Mapping[str, str]) -> list[Step]:
    if visit is None:
        ended = over or facts.finished_at is not None
        return [] if ended else [Step("booked", say["to be booked"], False)]
    who = visit.technician
    out = [Step("booked", say["booked"].format(who, visit.words), True, facts.answered_at)]
    if visit.state is VisitState.NO_ACCESS:
        return [*out, Step("no_access", say["no access"], True, visit.ended_at)]
    on_site = visit.state in _UNDER_WAY[1:] or facts.started_at is not None
    way = visit.state in _UNDER_WAY or on_site
    if not on_site:
        text = say["on the way" if visit.state is VisitState.EN_ROUTE else "sets out"].format(who)
        if visit.state is VisitState.EN_ROUTE and visit.arrives:
            text = say["arrives"].format(who, visit.arrives)
        out.append(Step("on_the_way", text, way))
    out.append(Step("on_site", say["on site" if on_site else "to be on site"].format(who), on_site, facts.started_at))
    if facts.order is OrderState.ON_HOLD:
        out.append(Step("on_hold", say["on hold"], True))
    if visit.state is VisitState.INCOMPLETE:
        out.append(Step("incomplete", say["incomplete"], True, visit.ended_at))
    return out


WORDS: dict[str, dict[str, str]] = {
    "en": {
        "reported": "You reported it.",
        "seen": "We saw a change in {}.",
        "preventive": "Upkeep of {} is due.",
        "recall": "{} is part of a recall.",
        "merged": "It is dealt with together with another case.",
        "judged": "We looked at it and decided to propose a visit.",
        "proposed": "We proposed a visit to you.",
        "declined": "You declined. We keep watching.",
        "declined for": "You declined: {}. We keep watching.",
        "done": "The work is done.",
        "to be done": "The work is done, and you read what was found.",
        "cleared": "The signs went away by themselves: nothing needs to be done.",
        "settled": "It was settled without a visit.",
        "verifying": "We are checking from its readings that it stays fixed.",
        "over": "It is settled.",
        "to be verified": "We check afterwards that it stays fixed.",
        "to be booked": "A visit is booked once you choose a half day.",
        "booked": "{} comes on {}.",
        "no access": "We came, but could not get in: please call us.",
        "on the way": "{} is on the way.",
        "arrives": "{} is on the way, {}.",
        "sets out": "{} sets out on that day.",
        "on site": "{} is at the machine.",
        "to be on site": "{} will be at the machine.",
        "on hold": "The work waits: we will say when it goes on.",
        "incomplete": "The work could not be finished: we come again.",
        "true": "The fault was there, and is repaired.",
        "prevented": "A failure was prevented.",
        "false": "Nothing was wrong: our forecast was mistaken.",
        "nothing": "Nothing was wrong.",
        "missed": "The machine had failed.",
        "unknown": "What it was cannot be said.",
    },
    "zh": {
        "reported": "您报告了这个问题。",
        "seen": "我们发现 {} 有变化。",
        "preventive": "{} 该做保养了。",
        "recall": "{} 属于召回范围。",
        "merged": "此事与另一事项一并处理。",
        "judged": "我们查看后决定建议上门。",
        "proposed": "我们向您建议了上门。",
        "declined": "您谢绝了。我们会继续观察。",
        "declined for": "您谢绝了：{}。我们会继续观察。",
        "done": "工作已完成。",
        "to be done": "完成工作，并告诉您检查结果。",
        "cleared": "征兆已自行消失：无需处理。",
        "settled": "无需上门，已解决。",
        "verifying": "我们正在通过读数检查问题是否不再出现。",
        "over": "已处理完毕。",
        "to be verified": "之后我们会检查问题是否不再出现。",
        "to be booked": "您选择半天之后，上门即预约成功。",
        "booked": "{} 将于 {} 上门。",
        "no access": "我们来了，但无法进入：请给我们打电话。",
        "on the way": "{} 在路上。",
        "arrives": "{} 在路上，{}。",
        "sets out": "{} 将于当天出发。",
        "on site": "{} 在设备旁。",
        "to be on site": "{} 将到达设备。",
        "on hold": "工作暂停：继续时我们会告诉您。",
        "incomplete": "工作未能完成：我们会再来。",
        "true": "确有故障，已修复。",
        "prevented": "避免了一次故障。",
        "false": "没有问题：我们的预测有误。",
        "nothing": "没有发现问题。",
        "missed": "设备已经发生故障。",
        "unknown": "原因无法确定。",
    },
}
