"""Settings are read by one reader; all that is wrong is said at once."""

import pytest

from plumbing.settings import BadSettings, Reader


def test_what_is_not_set_or_empty_has_its_default() -> None:
    read = Reader({"B": ""})
    assert (read.text("A", "x"), read.number("B", 0.5, 0, 1), read.whole("C", 3, 1, 9)) == ("x", 0.5, 3)
    read.end()


@pytest.mark.parametrize("text", ["soon", "nan", "-1", "11", "1e400"])
def test_a_number_outside_of_its_bounds_is_a_fault(text: str) -> None:
    read = Reader({"A": text})
    assert read.number("A", 5, 0, 10) == 5
    assert len(read.faults) == 1


def test_a_whole_number_has_no_fraction() -> None:
    read = Reader({"A": "2.5", "B": "2e3"})
    assert (read.whole("A", 1, 1, 9), read.whole("B", 1, 1, 1e4)) == (1, 2000)
    assert read.faults == ["A: '2.5' must be a whole number"]


def test_every_fault_is_reported_at_once() -> None:
    read = Reader({"A": "many", "B": "-1"})
    read.number("A", 1, 0, 9)
    read.whole("B", 1, 0, 9)
    read.fault("C", "is not set")
    with pytest.raises(BadSettings) as refused:
        read.end()
    assert [fault.split(":")[0] for fault in refused.value.faults] == ["A", "B", "C"]
