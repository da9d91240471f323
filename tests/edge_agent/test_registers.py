"""How reads of Modbus registers are joined, against an obvious check of every rule."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.registers import BIT_TABLES, KINDS, MOST_BITS, TABLES, Point, requests

points = st.builds(
    Point,
    signal=st.just("x"),
    slave=st.integers(1, 3),
    table=st.sampled_from(TABLES),
    address=st.integers(0, 3000),
    kind=st.sampled_from(sorted(KINDS)),
)


@given(st.lists(points, max_size=40), st.integers(4, 125), st.integers(0, 100))
def test_every_point_is_read_once_within_the_limits_and_across_no_larger_gap(
    wanted: list[Point], most: int, gap: int
) -> None:
    made = requests(wanted, most, gap)
    assert sorted(map(id, wanted)) == sorted(id(p) for r in made for p in r.points)
    for request in made:
        assert request.count <= (MOST_BITS if request.table in BIT_TABLES else most)
        places = sorted({a for p in request.points for a in range(p.address, p.address + p.width)})
        assert (places[0], places[-1]) == (request.address, request.address + request.count - 1)
        assert all(b - a - 1 <= gap for a, b in itertools.pairwise(places))
        assert {(p.slave, p.table) for p in request.points} == {(request.slave, request.table)}
        numbered = list(range(request.address, request.address + request.count))
        for point in request.points:
            assert request.of(point, numbered) == numbered[point.address - request.address :][: point.width]


def test_two_signals_in_one_register_are_one_read() -> None:
    made = requests([Point("a", 1, "holding", 5, bit=1), Point("b", 1, "holding", 5, bit=2)])
    assert [(r.address, r.count, len(r.points)) for r in made] == [(5, 1, 2)]
