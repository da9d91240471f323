"""When the demo's clock waits for a person."""

import pytest

from forewarn.demo.director import is_awaited

SENT = {"open": True, "sent_at": "2026-11-23T00:49:00Z", "given_up": False}


@pytest.mark.parametrize(
    ("changed", "awaited"),
    [({}, True), ({"sent_at": None}, False), ({"open": False}, False), ({"given_up": True}, False)],
    ids=["sent", "in its cooling-off time", "answered", "given up as no reply, in this run or an earlier one"],
)
def test_the_clock_waits_for_an_answer_that_may_still_come(changed: dict[str, object], awaited: bool) -> None:
    assert is_awaited({**SENT, **changed}) is awaited
