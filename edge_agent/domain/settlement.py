"""The device's half of the settlement (contract.md): what may be sent now, when to ask, what to send again.

Pure: time comes in as monotonic seconds. The other half is ingest's; tests/edge_agent holds both against each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from edge_agent.domain.ranges import Range, Ranges

PATIENCE_S = 10.0
"""How long `through` may stand still before the device asks."""
PATIENCE_WITH_GAP_S = 1.0
"""The same, when numbers above it are settled: something between was lost."""
PATIENCE_AFTER_S = (20.0, 40.0, 60.0)
"""Pauses between further questions; the last one stays."""
MOST_QUESTIONS = 32
"""Unanswered states that are remembered."""
GIVE_UPS_EVERY_S = 1.0
"""Ranges given up in quick succession share a state."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a `stored` message changed.

    `resend` are the ranges to send again now, as far as the outbox holds them. `asked` is the whole `ask` that was
    waited for: what of it the outbox does not hold, nobody can send any more. `restored` is True when the platform
    knows numbers that this outbox never gave: it is an old copy, and needs a new boot_id.
    """

    progress: bool
    resend: tuple[Range, ...] = ()
    asked: tuple[Range, ...] = ()
    restored: bool = False


@dataclass(slots=True)
class _Question:
    """A state that went out and may still be answered.

    `last` is the newest number that it named, `mark` the newest that had been sent before it, `resent` what was sent
    again since: its answer cannot know of that yet.
    """

    last: int
    mark: int
    resent: Ranges = field(default_factory=Ranges)


class Settlement:
    """One outbox on one link.

    Parameters
    ----------
    first, last
        Oldest and newest number in the outbox (empty: first = last + 1).
    window
        Most unsettled numbers in flight.
    """

    def __init__(self, first: int, last: int, window: int) -> None:
        self.window = window
        self.through = first - 1
        self.next = first
        """The lowest number that was not sent yet."""
        self._last = last
        self._settled = Ranges()
        self._open = False
        """Whether the state of this connection was answered."""
        self._owed: float | None = None
        """From when on a state must go out, whatever stands still."""
        self._stated = float("-inf")
        self._questions: list[_Question] = []
        """States without an answer on this connection, oldest first."""
        self._since: float | None = None
        """Since when something is unsettled and `through` stands still."""
        self._asked = 0
        """Questions since `through` moved."""

    @property
    def answered(self) -> bool:
        """Whether telemetry may go out on this connection."""
        return self._open

    def appended(self, last: int, now: float) -> None:
        """The outbox now reaches to `last`."""
        self._last = last
        if self._since is None and last > self.through:
            self._since = now

    def connected(self, now: float) -> None:
        """A new connection: nothing goes out before the answer to a state."""
        self._open, self._owed = False, now
        self._questions.clear()
        self._asked = 0
        self._since = now

    def gave_up(self) -> None:
        """The outbox gave up a range: the platform must hear of it."""
        if self._owed is None:
            self._owed = self._stated + GIVE_UPS_EVERY_S

    def state_due(self) -> float | None:
        """The monotonic second from which on a state is due; None = nothing waits for one."""
        if self._owed is not None:
            return self._owed
        if self._since is None:
            return None
        if self._asked:
            patience = PATIENCE_AFTER_S[min(self._asked, len(PATIENCE_AFTER_S)) - 1]
        else:
            patience = PATIENCE_WITH_GAP_S if self._open and len(self._settled) else PATIENCE_S
        return self._since + patience

    def state_sent(self, now: float) -> None:
        """A state went out."""
        if self._owed is None:
            self._asked += 1
            self._since = now
        elif not self._open:
            self._since = now
        self._owed, self._stated = None, now
        self._questions = [*self._questions[-MOST_QUESTIONS + 1 :], _Question(self._last, self.next - 1)]

    def room(self) -> int:
        """How many numbers may be sent now."""
        if not self._open:
            return 0
        in_flight = self.next - 1 - self.through - self._settled.count(self.through + 1, self.next - 1)
        return max(0, self.window - in_flight)

    def skip(self) -> None:
        """Pass over what is settled already (sent by an earlier process)."""
        self.next = self._settled.past(self.next)

    def sendable_to(self) -> int | None:
        """The last number before the next settled one; None = all that follow are unsettled."""
        return self._settled.run_end(self.next)

    def sent(self, last: int) -> None:
        """Numbers up to `last` went out."""
        self.next = max(self.next, last + 1)

    def heard(self, through: int, settled: Iterable[Range], ask: Iterable[Range], now: float) -> Heard:
        """Take in a `stored` message of this outbox."""
        ranges = Ranges(settled)
        if max(through, ranges.newest) > self._last:
            return Heard(progress=False, restored=True)
        self._open = True
        moved = through > self.through
        if moved:
            self.through = through
            self._settled.forget_through(through)
            self.next = max(self.next, through + 1)
        known = self._settled.count(self.through + 1, self._last)
        for a, b in ranges:
            self._settled.add(max(a, self.through + 1), b)
        grown = self._settled.count(self.through + 1, self._last) > known
        if moved:
            self._asked = 0
            self._since = now
        if self.through >= self._last:
            self._since = None
            self._asked = 0
        asked = tuple(ask)
        question = self._answered_by(through, ranges, asked)
        if question is None:
            return Heard(moved or grown)
        resend = [
            part for a, b in asked for part in question.resent.outside(max(a, self.through + 1), min(b, question.mark))
        ]
        for later in self._questions:
            for a, b in resend:
                later.resent.add(a, b)
        return Heard(moved or grown, tuple(resend), asked)

    def _answered_by(self, through: int, settled: Ranges, ask: tuple[Range, ...]) -> _Question | None:
        """The state that this message answers with an `ask`.

        Messages name no state, but an answer names all of its state's numbers: up to `last` each is settled or asked
        for. So a delayed answer is not taken for one to a later state, before which more had been sent.
        """
        if not ask:
            self._questions = [q for q in self._questions if settled.past(through + 1) <= q.last]
            return None
        top = max(b for _, b in ask)
        open_ones = [i for i, q in enumerate(self._questions) if q.last >= top]
        if not open_ones:
            return None
        exact = [i for i in open_ones if settled.past(top + 1) > self._questions[i].last]
        chosen = (exact or open_ones)[0]
        question = self._questions[chosen]
        del self._questions[: chosen + 1]
        return question
