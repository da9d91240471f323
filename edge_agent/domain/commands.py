"""Judges commands and runs them, each at most once: the device's own word on what it does.

Nothing that the platform says is taken on trust: signature, addressee, name, risk, arguments, time, and for guarded
commands the approval, what stands against it, the local switch and the local enable are checked here, at the offer and
once more at the grant. A command begins after its id is on the disk; an id that is there never begins again.
"""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts import commands as wire
from contracts.command_kinds import BadArgs, CommandKind, check_args
from contracts.commands import Command, Refusal, Result, Risk

MOST_WAITING = 32
MOST_RUNNING = 4
NONCE_BYTES = 16
AGAIN_S = 1.0
"""Pause before an answer that the connection did not take is offered to it again."""
CUT_SHORT = "the device stopped while it ran: it may have been done in part, and is not done again"


@dataclass(frozen=True, slots=True)
class Pause:
    """What a running action gives back: when to go on, and what to tell meanwhile ("" = nothing)."""

    seconds: float
    text: str = ""


Running = Generator[Pause, None, dict[str, Any]]


class Failed(Exception):
    """An action could not be done; says why, for people."""


@dataclass(frozen=True, slots=True)
class Action:
    """A command that this device has, and what does it."""

    kind: CommandKind
    run: Callable[[dict[str, Any]], Running]


@dataclass(frozen=True, slots=True)
class Here:
    """What the machine itself says about guarded commands, in words where there is something."""

    guarded: bool = False
    """Whether they are switched on at all, in the agent's own file."""
    enabled: bool = False
    """Whether a switch or a person at the machine has enabled them within ENABLED_S."""
    hold: str = ""
    """What stands against them here; empty = nothing."""


class JournalUnwritable(Exception):
    """The journal's disk did not take it; nothing is kept."""


class Journal(Protocol):
    """Which commands have begun, and how they ended: on the disk before anything is done."""

    def ended(self, id: str) -> Result | None:
        """How a command ended that has begun; `started` while it runs; None for one that never began."""
        ...

    def begin(self, id: str, name: str) -> None:
        """Raises JournalUnwritable."""
        ...

    def end(self, result: Result) -> None:
        """Raises JournalUnwritable."""
        ...

    def unfinished(self) -> Sequence[str]:
        """Commands that have begun and not ended."""
        ...


class Refused(Exception):
    """A command is not done; `text` says more than the reason."""

    def __init__(self, reason: Refusal, text: str = "") -> None:
        super().__init__(reason)
        self.reason, self.text = reason, text or wire.REFUSALS[reason]


@dataclass(slots=True)
class _Task:
    id: str
    running: Running
    due: float


@dataclass
class Commands:
    """The commands of one device. Used by one thread.

    Parameters
    ----------
    me
        `tenant/device`.
    is_signed
        Whether a signature of a message is the platform's; None while its key is not known: then all are refused.
    actions
        What this device can do, by name.
    journal
        Remembers across a kill.
    here
        What the machine says about guarded commands now.
    signals
        Names of the signals that there are now; None = not known yet.
    publish
        Hands a result to the connection; False when there is none.
    nonce
        Gives a fresh one, that nobody can guess.
    seconds
        A clock that nobody sets and that goes on during sleep; only differences count.
    """

    me: str
    is_signed: Callable[[bytes, bytes], bool] | None
    actions: Mapping[str, Action]
    journal: Journal
    here: Callable[[], Here]
    signals: Callable[[], Sequence[str] | None]
    publish: Callable[[bytes], bool]
    nonce: Callable[[], str]
    seconds: Callable[[], float]
    done: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._nonces: dict[str, tuple[str, float]] = {}
        self._tasks: list[_Task] = []
        self._unsent: deque[Result] = deque(maxlen=10 * MOST_WAITING)
        for id in self.journal.unfinished():
            self._end(Result(wire.VERSION, id, "failed", text=CUT_SHORT))

    def hear(self, body: bytes) -> None:
        """Take a message of the topic `command`."""
        try:
            signed, signature, command = wire.opened(body)
        except wire.NotUnderstood:
            self._count("malformed")
            return  # without an id there is nobody to answer
        try:
            self._judge(signed, signature, command)
        except Refused as no:
            self._count(no.reason)
            self._tell(Result(wire.VERSION, command.id, "refused", reason=no.reason, text=no.text))

    def step(self) -> float:
        """Go on with what runs, tell what could not be told; seconds until there is something to do again."""
        while self._unsent:
            if not self.publish(wire.encode(self._unsent[0])):
                return AGAIN_S
            self._unsent.popleft()
        for task in list(self._tasks):
            if self.seconds() >= task.due:
                self._go_on(task)
        return max(0.0, min((task.due for task in self._tasks), default=float("inf")) - self.seconds())

    def close(self) -> None:
        """End what runs; an output that is on is switched off."""
        for task in self._tasks:
            task.running.close()

    def _judge(self, signed: bytes, signature: bytes, command: Command) -> None:
        if self.is_signed is None:
            raise Refused("no_key")
        if not self.is_signed(signed, signature):
            raise Refused("signature")
        if command.v != wire.VERSION:
            raise Refused("schema_version")
        if command.to != self.me:
            raise Refused("other_device")
        before = self.journal.ended(command.id)
        if before is not None:
            self._tell(before)
            return
        action = self.actions.get(command.name)
        if action is None:
            raise Refused("unknown_command", f"this device knows {', '.join(sorted(self.actions))}")
        if command.risk.order < action.kind.risk.order:
            raise Refused("wrong_risk", f"{command.name} is {action.kind.risk} here")
        try:
            args = check_args(action.kind, command.args, self.signals())
        except BadArgs as no:
            raise Refused(no.reason, str(no)) from no
        if command.risk is Risk.GUARDED:
            self._check_guarded(command)
        if command.nonce:
            self._begin(command, action, args)
        else:
            self._answer_offer(command.id)

    def _check_guarded(self, command: Command) -> None:
        here = self.here()
        if not here.guarded:
            raise Refused("guarded_off")
        if not any(a.role in wire.APPROVERS and a.by and a.by != command.issued_by for a in command.approvals):
            raise Refused("not_approved")
        if here.hold or command.holds:
            raise Refused("on_hold", here.hold or f"the platform says: {', '.join(map(str, command.holds))}")
        if not here.enabled:
            raise Refused("not_enabled")

    def _answer_offer(self, id: str) -> None:
        """A nonce for this command; one that is not old stays, since its grant may be on the way."""
        given, since = self._nonces.get(id, ("", 0.0))
        if given and 0 <= self.seconds() - since <= wire.GRANT_S / 2:
            self._tell(Result(wire.VERSION, id, "ready", nonce=given))
            return
        if id not in self._nonces and len(self._nonces) >= MOST_WAITING:
            oldest = min(self._nonces, key=lambda known: self._nonces[known][1])
            if self.seconds() - self._nonces[oldest][1] <= wire.GRANT_S:
                raise Refused("busy")
            del self._nonces[oldest]
        self._nonces[id] = (self.nonce(), self.seconds())
        self._tell(Result(wire.VERSION, id, "ready", nonce=self._nonces[id][0]))

    def _begin(self, command: Command, action: Action, args: dict[str, Any]) -> None:
        given, since = self._nonces.get(command.id, ("", 0.0))
        if given != command.nonce:
            raise Refused("expired", "the nonce is not one that this device gave for this command")
        if not 0 <= self.seconds() - since <= min(command.valid_s, wire.GRANT_S):
            del self._nonces[command.id]
            raise Refused("expired", "its time was over when it came")
        if len(self._tasks) >= MOST_RUNNING:
            raise Refused("busy")
        del self._nonces[command.id]
        try:
            self.journal.begin(command.id, command.name)
        except JournalUnwritable as failure:
            raise Refused("not_recorded", str(failure)) from failure
        self._tell(Result(wire.VERSION, command.id, "started"))
        task = _Task(command.id, action.run(args), self.seconds())
        self._tasks.append(task)
        self._go_on(task)

    def _go_on(self, task: _Task) -> None:
        result = Result(wire.VERSION, task.id, "failed", text="the action met a fault of the agent, see its log")
        goes_on = False
        try:
            pause = next(task.running)
            goes_on = True
        except StopIteration as over:
            result = Result(wire.VERSION, task.id, "done", data=over.value or {})
        except Failed as failure:
            result = Result(wire.VERSION, task.id, "failed", text=str(failure))
        finally:
            if not goes_on:
                self._finish(task, result)
        if goes_on:
            task.due = self.seconds() + pause.seconds
            if pause.text:
                self._tell(Result(wire.VERSION, task.id, "progress", text=pause.text))

    def _finish(self, task: _Task, result: Result) -> None:
        self._tasks.remove(task)
        if len(wire.encode(result.data)) > wire.MAX_DATA_BYTES:
            result = Result(wire.VERSION, task.id, "failed", text="the answer is larger than a message may be")
        self.done += result.state == "done"
        self._end(result)

    def _end(self, result: Result) -> None:
        try:
            self.journal.end(result)
        except JournalUnwritable:
            # it stays `begun` on the disk: after a restart it is told as cut short, and never done again
            self._count("not_recorded")
        self._tell(result)

    def _tell(self, result: Result) -> None:
        if self._unsent or not self.publish(wire.encode(result)):
            self._unsent.append(result)

    def _count(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
