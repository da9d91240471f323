"""Whoever puts the demo's pumps into service says once of each that it was healthy then."""

from typing import Any

from forewarn.demo.people import Engineer
from forewarn.web import Web


class Office(Web):
    """An API that knows what has been learned."""

    def __init__(self, learned: dict[str, int]) -> None:
        self.learned, self.posted = learned, list[str]()

    def get(self, path: str, **query: Any) -> Any:
        machine = path.split("/")[4]
        confirmed = f"/api/v1/assets/{machine}/baseline/confirm" in self.posted
        one = {"confirmed_at": "2026-11-22T00:00:00Z" if confirmed else None}
        return {"baselines": [one] * self.learned[machine]}

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        self.posted.append(path)
        return {"confirmed": True}


def test_each_first_baseline_is_confirmed_once_as_soon_as_it_is_learned_and_later_ones_are_not() -> None:
    office, said = Office({"p1": 0, "p2": 1, "p3": 2}), list[str]()
    engineer = Engineer(office, ["p1", "p2", "p3"], said.append)
    for _ in range(4):
        engineer.step()
    assert office.posted == ["/api/v1/assets/p2/baseline/confirm"]
    office.learned["p1"] = 1
    engineer.step()
    engineer.step()
    assert office.posted[1:] == ["/api/v1/assets/p1/baseline/confirm"]
    assert said == ["The engineer who put 2 pumps into service confirms how they run when well."]
