"""What a notice's page says beside the notice itself, in the customer's language."""

from work_orders.domain.letter import chance_zh, slot_words
from work_orders.domain.money import ExpectedCost, money
from work_orders.domain.slots import HalfDay
from work_orders.domain.words import chance


def if_then_words(slot: HalfDay, then: ExpectedCost | None, currency: str, language: str = "en") -> str:
    """What is to be expected with a visit then; empty = no trend yet."""
    if then is None:
        return ""
    when, total, his = slot_words(slot, language), money(then.total, currency), money(then.customer, currency)
    if language == "zh":
        return f"{when}上门：预计费用 {total}，其中您承担 {his}（{chance_zh(then.p)}会在此之前发生故障）。"
    return (
        f"A visit on {when}: {total} to be expected, {his} of it yours (the chance of a failure before is"
        f" {chance(then.p)})."
    )


def left_words(left: int, language: str = "en") -> str:
    """How many half days are still free in time."""
    if left == 0:
        return "近期已没有空闲的半天：请给我们打电话。" if language == "zh" else (
            "No half day is free in time any more: please call us."
        )  # fmt: skip
    if language == "zh":
        return f"近期还有 {left} 个空闲的半天。"
    return "Only one half day is left in time." if left == 1 else f"{left} half days are still free in time."


def visit_words(technician: str, slot: HalfDay, language: str = "en") -> str:
    """Who comes and when."""
    when = slot_words(slot, language)
    return f"{technician} 将于 {when}上门。" if language == "zh" else f"{technician} comes on {when}."
