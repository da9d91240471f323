"""Past jobs as other systems wrote them down: when it was and what it cost, as people write dates and amounts."""

import re
from datetime import UTC, datetime

_DAYS = (
    r"(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})", r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})",
    r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日",
)  # fmt: skip
YES, NO = ("yes", "true", "ja", "1", "是"), ("no", "false", "nein", "0", "否")


def moment(text: str) -> datetime | None:
    """2024-12-24, 24.12.2024, 2024年12月24日, or a time of ISO 8601 (UTC unless it says otherwise); a day alone is its
    noon. None = none of these: 04/05/2024 is May to some and April to others."""
    for day in _DAYS:
        if found := re.fullmatch(day, text):
            try:
                return datetime(int(found["y"]), int(found["m"]), int(found["d"]), 12, tzinfo=UTC)
            except ValueError:
                return None
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]\d", text):
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def amount(text: str) -> float | None:
    """1234.5, 1234,50, 1.234,50, 1,234.50. None = it is none of these, or could be two numbers (1.234)."""
    bare = text.replace(" ", "").replace("\N{NO-BREAK SPACE}", "")
    if re.fullmatch(r"\d{1,12}([.,]\d{1,2})?", bare) or re.fullmatch(r"\d+\.\d{4,}", bare):
        return float(bare.replace(",", "."))
    for thousands, point in (",.", ".,"):
        if re.fullmatch(rf"\d{{1,3}}({re.escape(thousands)}\d{{3}})+{re.escape(point)}\d{{1,2}}", bare):
            return float(bare.replace(thousands, "").replace(point, "."))
    return None
