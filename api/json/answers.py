"""JSON answers by msgspec."""

from typing import Any

import msgspec
from starlette.responses import Response

from api.ports import Wanted
from api.problems import bad_field
from api.views import Page

LIMIT = (1, 500)


def answer(what: Any, status: int = 200) -> Response:
    """Any of our read models as JSON."""
    return Response(msgspec.json.encode(what), status, media_type="application/json")


def listed(page: Page) -> Response:
    """`{items, next}`."""
    return answer({"items": page.items, "next": page.next})


def wanted(asset: str = "", state: str = "", after: str = "", limit: int = 50) -> Wanted:
    """Filters and cursor of a list. Raises Problem."""
    low, high = LIMIT
    if not low <= limit <= high:
        raise bad_field("limit", limit, f"{low} to {high}")
    return Wanted(asset, state, after, limit)
