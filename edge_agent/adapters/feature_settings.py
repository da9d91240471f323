"""The table `features` of a driver: which signals go out as features, checked before anything connects."""

from collections.abc import Mapping
from importlib.util import find_spec

from contracts.names import NAME_RULE, is_name
from edge_agent.domain.driving import Fault
from edge_agent.domain.features import Window

KNOWN = ("samples", "rate", "bands", "raw")
FEWEST, MOST = 8, 1_000_000
MOST_BANDS = 50


def read_windows(given: Mapping[str, object], where: str, faults: list[Fault]) -> dict[str, Window]:
    """Windows by signal; what is wrong goes to `faults`."""
    if given and find_spec("numpy") is None:
        faults.append(Fault(where, "", "needs the package numpy: pip install numpy"))
    return {signal: _window(signal, told, f"{where}.{signal}", faults) for signal, told in given.items()}


def _window(signal: str, told: object, where: str, faults: list[Fault]) -> Window:
    if not is_name(signal):
        faults.append(Fault(where, signal, f"a signal's name is {NAME_RULE}"))
    if not isinstance(told, dict):
        faults.append(Fault(where, told, "must be a table"))
        return Window(FEWEST)
    rule = f"is not known here; known: {', '.join(KNOWN)}"
    faults += [Fault(f"{where}.{name}", told[name], rule) for name in told if name not in KNOWN]
    samples, rate, raw = told.get("samples"), told.get("rate", 0.0), told.get("raw", False)
    if isinstance(samples, bool) or not isinstance(samples, int) or not FEWEST <= samples <= MOST:
        faults.append(Fault(f"{where}.samples", samples, f"must be a whole number from {FEWEST} to {MOST}"))
        samples = FEWEST
    if not _number(rate) or not 0 <= rate <= 1e6:
        faults.append(Fault(f"{where}.rate", rate, "must be a number from 0 to 1000000: samples a second"))
        rate = 0.0
    if not isinstance(raw, bool):
        faults.append(Fault(f"{where}.raw", raw, "must be true or false"))
    bands = _bands(told.get("bands", {}), float(rate), f"{where}.bands", faults)
    return Window(samples, float(rate), bands, raw is True)


def _bands(told: object, rate: float, where: str, faults: list[Fault]) -> dict[str, tuple[float, float]]:
    if not isinstance(told, dict) or len(told) > MOST_BANDS:
        faults.append(Fault(where, told, f"must be a table of at most {MOST_BANDS} bands"))
        return {}
    if told and not rate:
        faults.append(Fault(where, "", "go with rate"))
    out = {}
    for name, band in told.items():
        pair = band if isinstance(band, list) and len(band) == 2 and all(map(_number, band)) else [0, 0]
        low, high = float(pair[0]), float(pair[1])
        if not is_name(name) or not 0 <= low < high or (rate and high > rate / 2):
            rule = "must be [FROM, TO] in Hz, at most half the rate, by a name"
            faults.append(Fault(f"{where}.{name}", band, rule))
        out[str(name)] = (low, high)
    return out


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
