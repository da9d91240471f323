"""What an agent can do by command: look (snapshot, self test, log, burst), set its sampling, restart, move an output.

Each action is a generator in the agent's own thread: it gives a pause back instead of waiting.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from contracts.command_kinds import Arg, ArgKind, CommandKind
from contracts.commands import Risk
from edge_agent.domain.commands import Action, Failed, Pause, Running

MOST_POINTS = 500
"""Points of a burst that travel; figures are of all."""
PROGRESS_S = 1.0

SNAPSHOT = CommandKind(
    "snapshot", Risk.READ, "Newest value of each signal",
    (Arg("signals", ArgKind.SIGNALS, 0, 100, default=()),),
)  # fmt: skip
SELF_TEST = CommandKind("self_test", Risk.READ, "Whether the agent and its sources are well")
LOG_EXCERPT = CommandKind(
    "log_excerpt", Risk.READ, "Last lines of the agent's log", (Arg("lines", ArgKind.INTEGER, 1, 200, default=50),)
)
BURST = CommandKind(
    "burst", Risk.READ, "Chosen signals as fast as their source gives them",
    (
        Arg("signals", ArgKind.SIGNALS, 1, 20),
        Arg("seconds", ArgKind.NUMBER, 0.1, 30, default=2.0),
        Arg("rate", ArgKind.NUMBER, 0.1, 100, default=20.0),
    ),
)  # fmt: skip
SET_SAMPLING = CommandKind(
    "set_sampling", Risk.SAFE, "Seconds between the readings of a source",
    (Arg("source", ArgKind.NAME), Arg("seconds", ArgKind.NUMBER, 0.1, 86_400)),
)  # fmt: skip
RESTART = CommandKind("restart", Risk.GUARDED, "Close all sources and open them anew")
ACTUATOR_TEST = CommandKind(
    "actuator_test", Risk.GUARDED, "Move an output for a moment",
    (Arg("output", ArgKind.NAME), Arg("seconds", ArgKind.NUMBER, 0.1, 10, default=1.0)),
)  # fmt: skip


class Machine(Protocol):
    """What actions may use of the agent."""

    def newest(self) -> Mapping[str, tuple[float | bool | None, float]]:
        """By signal: the newest value and the seconds since it was read."""
        ...

    def sample(self, signals: Sequence[str]) -> Mapping[str, float]:
        """Values read just now, of the signals whose source can be asked at any time."""
        ...

    def condition(self) -> Mapping[str, Any]:
        """How the agent is: `problem` (words by source), `waiting`, `version`, `uptime_s`, `disk_free_mb`."""
        ...

    def log_lines(self, most: int) -> Sequence[str]:
        """The last lines."""
        ...

    def set_sampling(self, source: str, seconds: float) -> None:
        """Raises Failed where the source is unknown or cannot."""
        ...

    def actuate(self, output: str, on: bool) -> None:
        """Switch an output. Raises Failed."""
        ...

    def restart(self) -> None:
        """Close all sources and open them anew."""
        ...


def actions(machine: Machine, seconds: Callable[[], float]) -> dict[str, Action]:
    """All of them by name."""

    def snapshot(args: dict[str, Any]) -> Running:
        chosen = set(args["signals"])
        newest = {n: {"value": v, "age_s": round(age, 1)} for n, (v, age) in machine.newest().items()}
        return {"values": {n: v for n, v in newest.items() if not chosen or n in chosen}}
        yield Pause(0)

    def self_test(args: dict[str, Any]) -> Running:
        found = dict(machine.condition())
        ages = {name: age for name, (_, age) in machine.newest().items()}
        found["oldest_reading_s"] = round(max(ages.values()), 1) if ages else None
        found["faults"] = sum(map(bool, found.get("problem", {}).values()))
        return found
        yield Pause(0)

    def log_excerpt(args: dict[str, Any]) -> Running:
        return {"lines": list(machine.log_lines(args["lines"]))}
        yield Pause(0)

    def burst(args: dict[str, Any]) -> Running:
        signals, step = args["signals"], 1 / args["rate"]
        began = told = seconds()
        points: dict[str, list[tuple[float, float]]] = {name: [] for name in signals}
        while (at := seconds() - began) <= args["seconds"]:
            for name, value in _now(machine, signals).items():
                points[name].append((round(at, 4), value))
            text = ""
            if seconds() - told >= PROGRESS_S:
                told, text = seconds(), f"{at:.0f} of {args['seconds']:g} s"
            yield Pause(step, text)
        if not any(points.values()):
            raise Failed("no value came within the burst")
        return {"signals": {name: figures(of) for name, of in points.items() if of}}

    def set_sampling(args: dict[str, Any]) -> Running:
        machine.set_sampling(args["source"], args["seconds"])
        return {"source": args["source"], "seconds": args["seconds"]}
        yield Pause(0)

    def restart(args: dict[str, Any]) -> Running:
        machine.restart()
        return {"restart": True}
        yield Pause(0)

    def actuator_test(args: dict[str, Any]) -> Running:
        machine.actuate(args["output"], True)
        try:
            yield Pause(args["seconds"], f"{args['output']} is on")
        finally:
            machine.actuate(args["output"], False)
        return {"output": args["output"], "seconds": args["seconds"]}

    made = (
        Action(SNAPSHOT, snapshot), Action(SELF_TEST, self_test), Action(LOG_EXCERPT, log_excerpt),
        Action(BURST, burst), Action(SET_SAMPLING, set_sampling), Action(RESTART, restart),
        Action(ACTUATOR_TEST, actuator_test),
    )  # fmt: skip
    return {action.kind.name: action for action in made}


def _now(machine: Machine, signals: Sequence[str]) -> dict[str, float]:
    """Values of this moment; of a source that cannot be asked the newest one, if it is a number and fresh."""
    sampled = machine.sample(signals)
    out = dict(sampled)
    for name, (value, age) in machine.newest().items():
        if name in signals and name not in sampled and isinstance(value, int | float) and age < 1.0:
            out[name] = float(value)
    return {name: value for name, value in out.items() if math.isfinite(value)}


def figures(points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """What a burst says: n, mean, std, min, max, rms, crest factor, kurtosis (3 for noise), and points, thinned out.

    Crest factor and kurtosis are of the values less their mean; None where they do not move.
    """
    values = [value for _, value in points]
    n, mean = len(values), math.fsum(values) / len(values)
    off = [value - mean for value in values]
    square = math.fsum(x * x for x in off) / n
    every = -(-n // MOST_POINTS)
    return {
        "n": n, "mean": mean, "std": math.sqrt(square), "min": min(values), "max": max(values),
        "rms": math.sqrt(math.fsum(x * x for x in values) / n),
        "crest": max(map(abs, off)) / math.sqrt(square) if square else None,
        "kurtosis": math.fsum(x**4 for x in off) / n / square**2 if square else None,
        "points": [list(p) for p in points[::every]],
    }  # fmt: skip
