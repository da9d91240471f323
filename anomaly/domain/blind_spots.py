"""What the signals at hand can show of a kind of machine, what they cannot, and which further one would help most."""

from collections.abc import Collection
from dataclasses import dataclass

from contracts.asset_model import AssetModel, FailureMode


@dataclass(frozen=True, slots=True)
class Gain:
    """A signal that is not there, and the failure modes that could be seen with it and cannot without."""

    signal: str
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """Failure modes as `component/mode`."""

    signals: tuple[str, ...]
    """Those that are there and of the model."""
    seen: tuple[str, ...]
    blind: tuple[str, ...]
    alike: tuple[tuple[str, ...], ...]
    """Modes that are seen but show in the same signals in the same direction: they cannot be told apart."""
    gains: tuple[Gain, ...]
    """Signals that would help, each by itself, the best one first."""

    @property
    def modes(self) -> int:
        """How many failure modes the model names."""
        return len(self.seen) + len(self.blind)


def sight(model: AssetModel, present: Collection[str] | None = None) -> Sight:
    """What can be seen with the signals `present`; None = all of the model's."""
    there = set(model.signals) if present is None else set(present) & set(model.signals)
    modes = {_name(mode): mode for component in model.components.values() for mode in component.modes}
    seen = {name: shown for name, mode in modes.items() if (shown := _shown(mode, there))}
    blind = [name for name in modes if name not in seen]
    alike: dict[frozenset[tuple[str, str]], list[str]] = {}
    for name, shown in seen.items():
        alike.setdefault(shown, []).append(name)
    gains = [
        Gain(signal, tuple(name for name in blind if _shown(modes[name], {signal})))
        for signal in model.signals
        if signal not in there
    ]
    return Sight(
        tuple(sorted(there)),
        tuple(seen),
        tuple(blind),
        tuple(tuple(names) for names in alike.values() if len(names) > 1),
        tuple(sorted((g for g in gains if g.modes), key=lambda g: (-len(g.modes), g.signal))),
    )


def told(model: AssetModel, found: Sight) -> list[str]:
    """The same in sentences."""
    n, m = len(found.signals), found.modes
    lines = [f"With {n} signal{'s' * (n != 1)} {len(found.seen)} of {m} failure mode{'s' * (m != 1)} can be seen."]
    if found.blind:
        lines.append(f"Not to be seen: {', '.join(found.blind)}.")
    lines += [f"Cannot be told apart: {', '.join(names)}." for names in found.alike]
    for gain in found.gains:
        title = model.signals[gain.signal].title
        lines.append(f"{title} ({gain.signal}) would add {len(gain.modes)}: {', '.join(gain.modes)}.")
    helpless = set(found.blind) - {name for gain in found.gains for name in gain.modes}
    if helpless:
        lines.append(f"No signal of the model shows: {', '.join(sorted(helpless))}.")
    return lines


def _name(mode: FailureMode) -> str:
    return f"{mode.component}/{mode.name}"


def _shown(mode: FailureMode, there: set[str]) -> frozenset[tuple[str, str]]:
    return frozenset((s.signal, s.direction) for s in mode.symptoms if s.signal in there)
