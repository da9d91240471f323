"""What is done again and again goes on after a failure, tells of it, and ends when it is told to."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import SQLAlchemyError

from plumbing.repeating import Repeating


@pytest.mark.parametrize("failure", [SQLAlchemyError("away"), RuntimeError("a fault of ours")])
def test_it_goes_on_after_a_failure_and_says_so_meanwhile(failure: Exception) -> None:
    told: list[str] = []
    done = threading.Event()

    def do() -> None:
        told.append(of.healthy())
        if len(told) == 1:
            raise failure
        if len(told) == 3:
            done.set()

    of = Repeating("tidying", do, 0.001, 0.001)
    of.start()
    assert done.wait(20)
    of.stop()
    assert told[0] == told[2] == ""
    assert told[1].startswith("tidying")
    assert of.ending()
    assert "not running" in of.healthy()
