"""Which samples of a message were refused, and how: what a message in quarantine needs to be replayed exactly.

A sample that repeats an earlier one is refused by nobody, so the paths of the refusals alone do not say which samples
of a message the ledger counts as quarantined: this does, as ranges of equal ones.
"""

from dataclasses import dataclass, field

import msgspec

from contracts.wire import Reason

UNCOUNTED = "null"
"""Kept of a message of nobody: no account counts any of its samples yet."""
NOT_KNOWN = ""
"""Kept of a message of which it is not known what was counted."""


@dataclass(slots=True)
class Mark:
    """What was refused of one sample: `whole` = nothing of it is stored; how many values by reason."""

    whole: bool
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, reason: Reason, *, whole: bool) -> None:
        """Another refusal of the sample."""
        self.whole = whole
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


Marks = dict[int, Mark]
"""By the sample's place in its message, from 0."""


def written(marks: Marks) -> str:
    """As it is kept: JSON [[first, last, whole, {reason: values}], …]."""
    out: list[tuple[int, int, bool, dict[str, int]]] = []
    for i, mark in sorted(marks.items()):
        if out and out[-1][1] == i - 1 and out[-1][2] == mark.whole and out[-1][3] == mark.reasons:
            out[-1] = (out[-1][0], i, mark.whole, mark.reasons)
        else:
            out.append((i, i, mark.whole, mark.reasons))
    return msgspec.json.encode(out).decode()


def read_marks(kept: str) -> Marks | None:
    """What was kept; None where nothing was counted, or it is not known."""
    if kept in (UNCOUNTED, NOT_KNOWN):
        return None
    ranges = msgspec.json.decode(kept, type=list[tuple[int, int, bool, dict[str, int]]])
    return {i: Mark(whole, dict(reasons)) for first, last, whole, reasons in ranges for i in range(first, last + 1)}


def reasons_of(marks: Marks) -> dict[str, int]:
    """Refused values by reason."""
    out: dict[str, int] = {}
    for mark in marks.values():
        for reason, n in mark.reasons.items():
            out[reason] = out.get(reason, 0) + n
    return out
