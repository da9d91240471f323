"""The language of customers' pages: English words are the keys, the other language stands in `api.chinese`.

Words of asset models (machines, failure modes, remedies) and what people wrote stay as they are.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import jinja2

from api import words as english
from api.chinese import WORDS
from work_orders.domain.letter import LANGUAGES, WEEKDAYS_ZH

ENGLISH = "en"
CATALOGUES: dict[str, dict[str, str]] = {"zh": WORDS}
_UNITS = {"days": "天", "h": "小时", "min": "分钟", "s": "秒"}


def of_browser(header: str) -> str:
    """The language that a browser asks for first (`Accept-Language`), where there is one of ours."""
    first = header.split(",")[0].split(";")[0].strip().lower().split("-")[0]
    return first if first in LANGUAGES else ENGLISH


def speaker(language: str) -> Callable[..., str]:
    """Says English words in a language; what has no words there stays. `facts` fill `{names}` in."""
    known = CATALOGUES.get(language, {})

    def say(text: str, **facts: Any) -> str:
        said = known.get(text, text)
        return said.format(**facts) if facts else said

    return say


def _of(context: jinja2.runtime.Context) -> str:
    return str(context.get("lang", ENGLISH))


@jinja2.pass_context
def day(context: jinja2.runtime.Context, at: datetime | None) -> str:
    """`Tue 24 Nov`, `11月24日 周二`."""
    if at is None or _of(context) != "zh":
        return english.day(at)
    return f"{at.month}月{at.day}日 周{WEEKDAYS_ZH[at.weekday()]}"


@jinja2.pass_context
def when(context: jinja2.runtime.Context, at: datetime | None) -> str:
    """`Tue 24 Nov, 14:05`, `11月24日 周二 14:05`."""
    if at is None or _of(context) != "zh":
        return english.when(at)
    return f"{at.month}月{at.day}日 周{WEEKDAYS_ZH[at.weekday()]} {at:%H:%M}"


@jinja2.pass_context
def lasting(context: jinja2.runtime.Context, seconds: float | None) -> str:
    """`52 min`, `52 分钟`."""
    said = english.lasting(seconds)
    number, _, unit = said.partition(" ")
    return f"{number} {_UNITS.get(unit, unit)}" if _of(context) == "zh" and unit else said


FILTERS: dict[str, Callable[..., str]] = {"day": day, "when": when, "lasting": lasting}
