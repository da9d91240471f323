"""JSON answers by msgspec."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends
from starlette.responses import Response

from api.idempotency import ToldOnce
from api.ports import Wanted
from api.problems import bad_field
from api.views import Page
from plumbing.sql import to_us
from work_orders.queries.paging import NEVER_US

LIMIT = (1, 500)
MOMENT, NAME, NUMBER = r"-?\d{1,19}_.{1,200}", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", r"\d{1,18}"
"""Cursors: the time and id of a page's last item, its name, its number."""
FIRST_US = to_us(datetime.min.replace(tzinfo=UTC))


def answer(what: Any, status: int = 200, *, secret: bool = False) -> Response:
    """Any of our read models as JSON, one that has a version with it as its ETag; a secret is told in this answer
    alone."""
    version = what.get("version") if isinstance(what, dict) else getattr(what, "version", None)
    tag = {"ETag": f'"{version}"'} if isinstance(version, int) else None
    made = ToldOnce if secret else Response
    return made(msgspec.json.encode(what), status, tag, "application/json")


def listed(page: Page) -> Response:
    """`{items, next}`."""
    return answer({"items": page.items, "next": page.next})


def wanted(asset: str = "", state: str = "", after: str = "", limit: int = 50) -> Wanted:
    """Filters and cursor of a list. Raises Problem."""
    low, high = LIMIT
    if not low <= limit <= high:
        raise bad_field("limit", limit, f"{low} to {high}")
    return Wanted(asset, state, after, limit)


def _is_in_time(cursor: str) -> bool:
    return FIRST_US <= int(cursor.partition("_")[0]) <= NEVER_US


def wanting(states: Iterable[str], cursor: str = MOMENT) -> Callable[..., Wanted]:
    """The same for a list whose items are in one of `states` and whose cursors look like `cursor`: a filter that can
    match nothing is a mistake, and a cursor that is none would begin the list anew."""
    allowed = [str(state) for state in states]

    def check(want: Annotated[Wanted, Depends(wanted)]) -> Wanted:
        if want.state and want.state not in allowed:
            raise bad_field("state", want.state, f"one of {', '.join(allowed)}")
        if want.after and not (re.fullmatch(cursor, want.after) and (cursor != MOMENT or _is_in_time(want.after))):
            raise bad_field("after", want.after, "the `next` of the page before")
        return want

    return check
