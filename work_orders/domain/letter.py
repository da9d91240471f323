"""What a message to a customer is made of, sentence by sentence, in his language; templates put it in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from work_orders.domain.money import expected_with_visit, money
from work_orders.domain.notice_text import MONTH, NoticeText
from work_orders.domain.slots import HalfDay
from work_orders.domain.words import day_words, duration

LANGUAGES = {"en": "English", "zh": "中文"}
WEEKDAYS_ZH = "一二三四五六日"
NOTHING_MUCH = 0.5
"""Less than this, in the model's currency, is not worth a figure."""


def language_of(locale: str) -> str:
    """The language to write in for a locale such as `zh-CN`; English where there are no templates for it."""
    return "zh" if locale.lower().replace("_", "-").split("-")[0] == "zh" else "en"


@dataclass(frozen=True, slots=True)
class Record:
    """How often warnings that led to a visit were right: on this customer's machines, and for this kind of fault."""

    here_right: int
    here_all: int
    kind_right: int
    kind_all: int


@dataclass(frozen=True, slots=True)
class SlotLine:
    """A half day on offer, with the price of waiting until then."""

    words: str
    price: str
    pick: str = ""
    """Names it in a link: `2026-11-24-am`."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a forecast notice says."""

    title: str
    saw: str
    may_happen: str
    remaining: str
    by_when: str
    propose: str
    cost: str
    waiting: str
    slots: tuple[SlotLine, ...]
    record: str


def waiting_price(text: NoticeText, end: datetime, now: datetime) -> float | None:
    """What it costs the customer on average to have the visit by `end` rather than at once; None = no trend yet."""
    hours = [(at - text.curve.start).total_seconds() / 3600 for at in (now, end)]
    first, then = (text.curve.within(h) for h in hours)
    if first is None or then is None:
        return None
    costs = [expected_with_visit(p, h, text.costs).customer for p, h in zip((first, then), hours, strict=True)]
    return max(0.0, costs[1] - costs[0])


def price_words(price: float | None, currency: str, language: str = "en") -> str:
    """The price of waiting in words; empty = not known."""
    if price is None:
        return ""
    if price < NOTHING_MUCH:
        return "等到那时不会给您增加费用。" if language == "zh" else "Waiting until then costs you nothing more."
    if language == "zh":
        return f"等到那时，您平均要多承担 {money(price, currency)}。"
    return f"Waiting until then costs you {money(price, currency)} on average."


def record_words(record: Record, language: str = "en") -> str:
    """The track record in words."""
    zh = language == "zh"

    def one(right: int, all_: int, where: str) -> str:
        if not all_:
            return f"{where}：还没有记录" if zh else f"{where}: no record yet"
        return f"{where}：{all_} 次中有 {right} 次正确" if zh else f"{where}: {right} of {all_}"

    parts = (
        one(record.here_right, record.here_all, "您的设备" if zh else "on your machines"),
        one(record.kind_right, record.kind_all, "同类故障" if zh else "for this kind of fault"),
    )
    if zh:
        return f"此前的预警经上门检查证实的情况：{'；'.join(parts)}。"
    return f"How often such warnings were right, by what the technician found: {'; '.join(parts)}."


def chance_zh(p: float) -> str:
    """`每 10 台同类设备中约有 3 台`."""
    if p < 0.01:
        return "每 100 台同类设备中不到 1 台"
    if p < 0.075:
        return f"每 {max(20, round(1 / p / 10) * 10)} 台同类设备中约有 1 台"
    if p > 0.95:
        return "每 20 台同类设备中有 19 台以上"
    return f"每 10 台同类设备中约有 {max(1, round(p * 10))} 台"


def duration_zh(hours: float) -> str:
    """A length of time."""
    n, word = duration(hours).split()
    units = {"minute": "分钟", "hour": "小时", "day": "天", "week": "周"}
    return f"{n} {units[word.removesuffix('s')]}"


def slot_words(slot: HalfDay, language: str = "en") -> str:
    """`Tuesday, 24 November, in the morning`."""
    if language != "zh":
        return slot.words()
    day, half = slot.day, "上午（8 至 12 点）" if slot.half == "am" else "下午（13 至 17 点）"
    return f"{day.month}月{day.day}日 星期{WEEKDAYS_ZH[day.weekday()]} {half}"


def _slots(
    text: NoticeText, slots: Sequence[tuple[HalfDay, datetime]], now: datetime, language: str
) -> tuple[SlotLine, ...]:
    c = text.costs.currency
    return tuple(
        SlotLine(slot_words(s, language), price_words(waiting_price(text, end, now), c, language), f"{s.day}-{s.half}")
        for s, end in slots
    )


def forecast_letter(
    text: NoticeText, language: str, *, asset: str, slots: Sequence[tuple[HalfDay, datetime]], latest: datetime | None,
    zone: ZoneInfo, record: Record, now: datetime,
) -> Letter:  # fmt: skip
    """The notice of a forecast in a language. Titles of failure modes stay as the asset model has them."""
    until = latest.astimezone(zone).date() if latest else None
    lines, said = _slots(text, slots, now, language), record_words(record, language)
    if language != "zh":
        return Letter(
            text.title, text.reason, f"{text.chance} {text.consequence}", text.remaining,
            f"The visit should be over by {day_words(until)}." if until else "", f"We propose: {text.remedy}.",
            text.cost, text.if_waiting, lines, said,
        )  # fmt: skip
    costs, c = text.costs, text.costs.currency
    later = text.curve.within(MONTH) or 0.0
    price = money(costs.planned.customer, c)
    cost = f"上门费用为 {price}，您的维护合同不包含此项。"
    if costs.covered:
        cost = (
            "上门对您免费：您的维护合同已包含。" if costs.planned.customer == 0 else f"您的合同已包含，您承担 {price}。"
        )
    of = text.words.get(language)
    fault = of.title if of else (text.title.partition(": ")[2] or text.title).removesuffix(" is growing")
    seen = "；".join(_seen_zh(e.title, e.direction, e.value, e.expected, e.unit) for e in text.evidence)
    return Letter(
        f"{asset}：发现故障征兆（{fault}）",
        f"我们看到：{seen}。" if seen else "我们看到：各项信号放在一起与平时不同，单独看都在正常范围。",
        f"{chance_zh(text.p_horizon)}会在 {duration_zh(text.horizon_hours)}内发生故障。{of.consequence if of else ''}",
        life_zh(text.life, text.life_unit),
        f"上门最好在 {until.month}月{until.day}日之前完成。" if until else "",
        f"我们建议：{of.remedy if of else text.remedy}。",
        cost,
        f"如果不处理：{chance_zh(later)}会在 {duration_zh(MONTH)}内发生故障；一次故障要您承担"
        f" {money(costs.failure.customer, c)}，因此不处理平均要您承担 {money(later * costs.failure.customer, c)}。",
        lines,
        said,
    )  # fmt: skip


def life_zh(life: tuple[float, float, float] | None, unit: str) -> str:
    """How long it lasts, of 5 %, 50 % and 95 %; empty = no trend yet."""
    if life is None:
        return ""
    low, _, high = (f"{round(x)} 个循环" if unit == "cycles" else duration_zh(x) for x in life)
    return f"很可能还能运行 {low}到 {high}。" if low != high else f"很可能还能运行约 {low}。"


def _seen_zh(title: str, direction: str, value: float | None, expected: float | None, unit: str) -> str:
    way = {"up": "高于平时", "down": "低于平时"}.get(direction, "与平时不同")
    if value is None or expected is None:
        return f"{title} {way}"
    return f"{title} {way}（{value:.3g} {unit}，平时 {expected:.3g} {unit}）".replace(" ，", "，").replace(" ）", "）")
