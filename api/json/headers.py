"""The headers of changes: which request it is, and which version its sender saw."""

from typing import Annotated

from fastapi import Depends, Header

from api.problems import bad_field

Key = Annotated[str, Header(alias="Idempotency-Key", max_length=160)]


def seen(match: Annotated[str, Header(alias="If-Match", max_length=32)] = "") -> int | None:
    """The version of an `If-Match` header; None where it names none. Raises Problem."""
    given = match.strip().removeprefix("W/").strip('"')
    if not given or given == "*":
        return None
    if not (given.isascii() and given.isdecimal()) or len(given) > 9:
        raise bad_field("If-Match", match, "the version that was shown")
    return int(given)


Match = Annotated[int | None, Depends(seen)]
