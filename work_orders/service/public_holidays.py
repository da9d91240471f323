"""Public holidays of countries and their parts."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache

from work_orders.domain.calendars import no_holiday
from work_orders.service.errors import BadInput


@lru_cache(maxsize=200)
def _of_year(country: str, year: int) -> dict[date, str]:
    import holidays

    code, _, part = country.partition("-")
    return dict(holidays.country_holidays(code, subdiv=part or None, years=year).items())


def holidays_of(country: str) -> Callable[[date], str]:
    """Names the holiday of a day in a country ("" = none). `DE`, `DE-BY`; "" and `-` have none."""
    if country in ("", "-"):
        return no_holiday
    return lambda day: _of_year(country, day.year).get(day, "")


def check_country(country: str) -> None:
    """Raises BadInput unless the holidays of the country, or of its part, are known."""
    if country in ("", "-"):
        return
    try:
        _of_year(country, 2026)
    except NotImplementedError as no:
        raise BadInput("country", f"{country!r} must be a country such as DE, or a part of one such as DE-BY") from no
