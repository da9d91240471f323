"""RangeSet against a plain set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.domain.ranges import RangeSet

PAIRS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=25)


def numbers(ranges: list[tuple[int, int]]) -> set[int]:
    return {n for a, b in ranges for n in range(a, b + 1)}


def as_ranges(of: set[int]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for n in sorted(of):
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out


@given(PAIRS, st.integers(1, 75), st.integers(0, 30))
def test_it_is_the_set_of_numbers_that_were_added(pairs: list[tuple[int, int]], a: int, width: int) -> None:
    plain, made, b = numbers(pairs), RangeSet(pairs), a + width
    assert list(made) == as_ranges(plain)
    assert made.count == len(plain)
    assert len(made) == len(as_ranges(plain))
    assert made.last == max(plain, default=0)
    assert [n for n in range(75) if n in made] == sorted(plain)
    assert made.overlaps(a, b) is any(n in plain for n in range(a, b + 1))
    assert made.missing(a, b) == as_ranges(set(range(a, b + 1)) - plain)
    assert made.missing(a, b, 2) == as_ranges(set(range(a, b + 1)) - plain)[:2]
    assert made.within(a, b) == len(plain & set(range(a, b + 1)))
    assert made.above(a, 3) == [r for r in as_ranges(plain) if r[0] > a][:3]
    through = 0
    while through + 1 in plain:
        through += 1
    assert made.through() == through
    assert RangeSet.of_flat(made.flat()) == made
    assert RangeSet.of_flat(made.flat()).count == len(plain)
    gaps = as_ranges(set(range(1, max(plain, default=0) + 1)) - plain)
    assert made.first_gap() == (gaps[0] if gaps else None)


@given(PAIRS, PAIRS)
def test_update_is_the_union(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    made = RangeSet(one)
    made.update(RangeSet(other))
    assert list(made) == as_ranges(numbers(one) | numbers(other))
