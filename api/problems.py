"""Errors as RFC 9457 problem details: for programs as JSON, for people as a page that says the same."""

from typing import Any

import msgspec
from starlette.responses import Response

TITLES = {
    400: "The request cannot be understood",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not here",
    405: "This address does not take that method",
    409: "Not possible now",
    412: "Somebody was faster",
    410: "Not good any more",
    413: "Too large",
    422: "Not acceptable",
    429: "Too many tries",
    500: "Something went wrong here",
    503: "Not ready",
}


class Problem(Exception):
    """What a client gets to hear. `extra` are members of the problem object, such as field, value, rule."""

    def __init__(self, status: int, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.extra = status, detail, extra

    def members(self) -> dict[str, Any]:
        """The problem object."""
        title = TITLES.get(self.status, "Error")
        return {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.extra}

    def response(self) -> Response:
        """As JSON."""
        return Response(
            msgspec.json.encode(self.members()), self.status, media_type="application/problem+json",
            headers={"WWW-Authenticate": "Bearer"} if self.status == 401 else None,
        )  # fmt: skip


def not_found(what: str = "") -> Problem:
    """The same answer for what does not exist and for what belongs to others."""
    return Problem(404, f"There is no such {what or 'page'} here, or it is not yours.")


def bad_field(field: str, value: Any, rule: str, status: int = 422) -> Problem:
    """A field that cannot be taken."""
    shown = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    return Problem(
        status, f"{field}: {rule}", field=field, value=shown[:200] if isinstance(shown, str) else shown, rule=rule
    )
