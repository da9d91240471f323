"""The device's half of the settlement (contract.md): what may be sent now, when to ask, what to send again.

New numbers go out upwards in order. Where more of them wait at the answer to a connection's first `state` than the
window holds, the newest is sent next and what lies between is the backlog: two cursors, both of which only go up, so
that what was sent stays a few ranges. Each has a quarter of the window to itself.

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
RESERVED = 4
"""One part in so many of the window belongs to new data alone, another to the backlog."""
MOST_ISLANDS = 20
"""Ranges above `through` beyond which no further one is begun: ingest lists 50 and keeps 1,000."""


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

    `last` is the newest number that it named, `sent` what had been sent before it, `resent` what was sent again since:
    its answer cannot know of that yet.
    """

    last: int
    sent: Ranges
    resent: Ranges = field(default_factory=Ranges)


class Settlement:
    """One outbox on one link.

    Parameters
    ----------
    first, last
        Oldest and newest number in the outbox (empty: first = last + 1).
    window
        Most unsettled numbers in flight.
    known
        The newest number that the platform can have heard of before; None = `last`.
    live_first
        Whether new data goes out before a backlog that is larger than the window.
    """

    def __init__(self, first: int, last: int, window: int, known: int | None = None, live_first: bool = False) -> None:
        self.window, self.live_first = window, live_first
        self.through = first - 1
        self._low = self._high = self._split = first
        """Cursors of the backlog and of new data; new data begins at `_split`. From `_high` on nothing was sent."""
        self._last = last
        self._known = last if known is None else known
        self._settled = Ranges()
        self._sent = Ranges()
        """What this process sent, above `through`."""
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
            patience = PATIENCE_WITH_GAP_S if self._open and self._gap else PATIENCE_S
        return self._since + patience

    def state_sent(self, now: float, given_up: int = 0) -> None:
        """A state went out, which names numbers up to `given_up` as below the oldest or given up."""
        self._known = max(self._known, given_up)
        if self._owed is None:
            self._asked += 1
            self._since = now
        elif not self._open:
            self._since = now
        self._owed, self._stated = None, now
        self._questions = [*self._questions[-MOST_QUESTIONS + 1 :], _Question(self._last, Ranges(self._sent))]

    @property
    def _gap(self) -> bool:
        """Whether something above `through` is settled and the number next to it was sent (or is nobody's to send)."""
        return len(self._settled) > 0 and (self.through + 1 in self._sent or self._low > self.through + 1)

    @property
    def backlog(self) -> int:
        """How many numbers wait that were made before new data was given precedence."""
        below = self._high - self._low
        return below - self._sent.count(self._low, self._high - 1) - self._settled.count(self._low, self._high - 1)

    @property
    def settled(self) -> list[Range]:
        """What is known to be settled above `through`."""
        return list(self._settled)

    def live_room(self) -> int:
        """How many new numbers may be sent now."""
        if not self._open:
            return 0
        old, new = self._in_flight()
        kept = max(0, self.window // RESERVED - old) if self.backlog_run() else 0
        return max(0, self.window - old - new - kept)

    def backlog_room(self) -> int:
        """How many numbers of the backlog may be sent now."""
        if not self._open:
            return 0
        old, new = self._in_flight()
        return max(0, self.window - old - new - max(0, self.window // RESERVED - new))

    def _in_flight(self) -> tuple[int, int]:
        """How many numbers were sent and are not known to be settled: of the backlog, new ones."""
        old = new = 0
        for a, b in self._sent:
            of_old = max(0, min(b, self._split - 1) - a + 1)
            settled_old = self._settled.count(a, min(b, self._split - 1)) if of_old else 0
            old += of_old - settled_old
            new += b - a + 1 - of_old - (self._settled.count(a, b) - settled_old)
        return old, new

    def live_run(self) -> Range | None:
        """The next new numbers to send, without those that are settled already (sent by an earlier process)."""
        a = self._settled.past(self._high)
        if a > self._last:
            return None
        end = self._settled.run_end(a)
        return a, self._last if end is None else end

    def backlog_run(self) -> Range | None:
        """The next numbers of the backlog to send."""
        a = self._low
        while (b := self._sent.past(self._settled.past(a))) != a:
            a = b
        if a >= self._high:
            return None
        ends = [end for end in (self._settled.run_end(a), self._sent.run_end(a)) if end is not None]
        return a, min([*ends, self._high - 1])

    def behind(self, a: int, b: int) -> list[Range]:
        """The parts of a..b that a cursor has passed."""
        parts = [(a, min(b, self._low - 1)), (max(a, self._low, self._split), min(b, self._high - 1))]
        return [(x, y) for x, y in parts if x <= y]

    def sent(self, a: int, b: int) -> None:
        """Numbers a..b went out for the first time from this process."""
        self._sent.add(a, b)
        self._known = max(self._known, b)
        self.passed(a, b)

    def passed(self, a: int, b: int) -> None:
        """The cursor that stood at or before a stands behind b: there is nothing (more) to send."""
        if a >= self._high:
            self._low = self._low if self.backlog_run() else b + 1
            self._high = b + 1
        else:
            self._low = max(self._low, b + 1)

    def _give_precedence(self) -> None:
        """Go on with the newest number where more wait than the window holds; the rest is the backlog."""
        waits = self._last - self._high + 1 - self._settled.count(self._high, self._last)
        if self.live_first and waits > self.window and len(self._settled) + len(self._sent) < MOST_ISLANDS:
            self._split = self._high = self._last

    def heard(self, through: int, settled: Iterable[Range], ask: Iterable[Range], now: float) -> Heard:
        """Take in a `stored` message of this outbox."""
        ranges = Ranges(settled)
        if max(through, ranges.newest) > self._known:
            return Heard(progress=False, restored=True)
        moved = through > self.through
        if moved:
            self.through = through
            self._settled.forget_through(through)
            self._sent.forget_through(through)
            self._low, self._high = max(self._low, through + 1), max(self._high, through + 1)
        known = self._settled.count(self.through + 1, self._last)
        for a, b in ranges:
            self._settled.add(max(a, self.through + 1), b)
        grown = self._settled.count(self.through + 1, self._last) > known
        if not self._open:
            self._open = True
            self._give_precedence()
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
            part
            for a, b in asked
            for c, d in question.sent.inside(max(a, self.through + 1), b)
            for part in question.resent.outside(c, d)
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
