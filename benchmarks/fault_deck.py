"""What can go wrong, as a pack of cards: each is drawn once before any comes again."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import psutil

from benchmarks.fault_clocks import FalseClock, jumps
from benchmarks.fault_disks import Disk
from benchmarks.fault_links import State
from benchmarks.fault_platforms import Platform, Process, Victim
from deploy.servers.launch import Server, ServerFailed

AGENT = "agent"
DEAD_S, PAUSED_S, LINK_S, FULL_S, CLOCK_S = (0.1, 1.5), (0.5, 5.0), (1.0, 6.0), (2.0, 6.0), (2.0, 5.0)
STARTS = 5


@dataclass(frozen=True)
class Fault:
    """One card: `begin` harms and returns what sets it right; `lasts` is for how long."""

    kind: str
    target: str
    lasts: tuple[float, float]
    begin: Callable[[], Callable[[], None]]

    @property
    def name(self) -> str:
        """For people, and to count."""
        return f"{self.kind} {self.target}"


def families(
    platform: Platform, agents: Sequence[Process], clocks: Sequence[FalseClock], dice: random.Random
) -> dict[str, list[Fault]]:
    """All cards by their kind."""
    out: dict[str, list[Fault]] = {"kill": [], "pause": [], "restart": [], "link": [], "disk": [], "clock": []}
    for name in (AGENT, *sorted(platform.victims)):
        chosen = partial(_one, platform, agents, name, dice)
        out["kill"].append(Fault("kill", name, DEAD_S, partial(_kill, chosen)))
        out["pause"].append(Fault("pause", name, PAUSED_S, partial(_pause, chosen)))
        out["restart"].append(Fault("restart", name, (0.0, 0.0), partial(_restart, chosen)))
    for link, states in platform.links:
        for state in states:
            back = partial(link.turn, State.WELL)
            out["link"].append(Fault(state.value, link.name, LINK_S, partial(_do, partial(link.turn, state), back)))
    for disk in platform.disks:
        if disk.mounted:
            begin = partial(_do, disk.fill, partial(_make_room, platform, disk))
            out["disk"].append(Fault("full disk", disk.name, FULL_S, begin))
    for words, by_s in jumps().items() if clocks else ():
        out["clock"].append(Fault("clock", words, CLOCK_S, partial(_jump, clocks, by_s, dice)))
    return {kind: cards for kind, cards in out.items() if cards}


def draw(by_kind: dict[str, list[Fault]], dice: random.Random) -> Iterator[Fault]:
    """For ever: the kinds in turn in an order that changes, so that a short run meets each of them."""
    while True:
        packs = [dice.sample(cards, len(cards)) for cards in by_kind.values()]
        for hand in zip_longest(*packs):
            there = [card for card in hand if card is not None]
            yield from dice.sample(there, len(there))


def signal_all(victim: Victim, number: signal.Signals) -> None:
    """Send a signal to a process and all its children; one that ends meanwhile needs none."""
    top = psutil.Process(victim.pid)
    for process in (top, *top.children(recursive=True)):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _one(platform: Platform, agents: Sequence[Process], name: str, dice: random.Random) -> Victim:
    return dice.choice(agents) if name == AGENT else platform.victims[name]


def _do(now: Callable[[], None], later: Callable[[], None]) -> Callable[[], None]:
    now()
    return later


def _kill(chosen: Callable[[], Victim]) -> Callable[[], None]:
    victim = chosen()
    victim.kill()
    return partial(_start, victim)


def _restart(chosen: Callable[[], Victim]) -> Callable[[], None]:
    victim = chosen()
    victim.stop()
    return partial(_start, victim)


def _pause(chosen: Callable[[], Victim]) -> Callable[[], None]:
    victim = chosen()
    signal_all(victim, signal.SIGSTOP)
    return partial(signal_all, victim, signal.SIGCONT)


def _jump(clocks: Sequence[FalseClock], by_s: int, dice: random.Random) -> Callable[[], None]:
    clock = dice.choice(clocks)
    clock.jump(by_s)
    return partial(clock.jump, 0)


def _make_room(platform: Platform, disk: Disk) -> None:
    """Free the disk; a server that has its data there may have ended for want of room and is started again."""
    disk.free()
    server = platform.victims.get(disk.name)
    if isinstance(server, Server):
        server.stop()
        _start(server)


def _start(victim: Victim) -> None:
    """A server that was killed may need more than one attempt; a process of ours does not."""
    for attempt in range(STARTS):
        try:
            victim.start()
            return
        except ServerFailed:
            if attempt == STARTS - 1:
                raise
            time.sleep(1.0)
