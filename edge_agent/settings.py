"""Settings of one agent: `agent.toml` and the environment. Every fault is reported at once, nothing connects before."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.names import NAME_RULE, is_name
from contracts.wire import WINDOW
from edge_agent.adapters import commanded, drivers
from edge_agent.adapters.commanded import CommandSettings
from edge_agent.adapters.feature_settings import read_windows
from edge_agent.adapters.outbox import Limits
from edge_agent.domain.by_exception import ALL_OTHERS, AT_LEAST_EVERY_S, Exceptions
from edge_agent.domain.driving import Fault, Options
from edge_agent.domain.features import Window
from edge_agent.service import BACKLOG_RATE, BATCH, EdgeAgentError
from plumbing.mqtt import BrokerAddress
from plumbing.tls import TlsFiles

URL = "FOREWARN_MQTT_URL"
_TOP = ("mqtt", "mqtt_file", "window", "batch", "backlog_rate", "outbox", "drivers", "commands")
_TLS = ("ca", "certificate", "key")
_OUTBOX = ("path", "max_mb", "max_days")


class BadSettings(EdgeAgentError):
    """The settings cannot be; `faults` names everything that is wrong."""

    def __init__(self, where: str, faults: list[Fault]) -> None:
        super().__init__("\n".join(f"{where}: {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class DriverSettings:
    """One driver: its kind (an entry point), its checked options, units of signals where they are not the model's.

    `exceptions` = which of its values are no news; None = all go out. `windows` = which signals go out as features.
    """

    kind: str
    options: Options
    units: Mapping[str, str] = field(default_factory=dict)
    exceptions: Exceptions | None = None
    windows: Mapping[str, Window] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What one agent needs: the broker with its own account, the outbox, the drivers."""

    mqtt_url: str = field(repr=False)
    tenant: str
    device: str
    outbox: Path
    limits: Limits
    window: int
    batch: int
    drivers: Mapping[str, DriverSettings]
    commands: CommandSettings = field(default_factory=CommandSettings)
    backlog_rate: float = BACKLOG_RATE
    """Samples of a backlog a second, behind new ones; 0 = as fast as they are settled."""
    tls: TlsFiles = field(default_factory=TlsFiles)
    """Files for a `mqtts:` address."""


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a file `agent.toml`; the environment wins. Raises BadSettings.

    ```toml
    mqtt = "mqtt://tenant%2Fdevice:secret@host:1883"   # or FOREWARN_MQTT_URL, or a file named by FOREWARN_MQTT_URL_FILE
    [csv]                                              # or [drivers.NAME] with kind = "csv", for several of a kind
    path = "readings.csv"
    time = "time"
    rate = 10
    ```

    At the top may stand besides: `mqtt_file` (a file that holds the address, instead of `mqtt`), `window` (most
    unsettled samples in flight), `batch` (most samples in a message) and `backlog_rate` (samples a second of what
    waited through an outage, behind new ones; 0 = as fast as settled); for a `mqtts:` address files: `ca` (who signed
    the broker's certificate), `certificate` and `key` (the device's own).
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise BadSettings(str(path), [Fault("", str(path), f"cannot be read: {problem}")]) from problem
    return read(table, environ, path.parent, str(path))


def read(
    table: Mapping[str, object], environ: Mapping[str, str], folder: Path = Path(), where: str = "agent"
) -> Settings:
    """The settings of a table as `agent.toml` holds it; relative paths start from `folder`. Raises BadSettings."""
    kinds = drivers.names()
    faults = _unknown(table, (*_TOP, *_TLS, *kinds), "")
    url, tenant, device = _account(table, environ, folder, faults)
    given_outbox = _table(table.get("outbox", {}), "outbox", faults)
    faults += _unknown(given_outbox, _OUTBOX, "outbox.")
    home = Path(environ.get("FOREWARN_HOME") or ".forewarn").expanduser()
    path = given_outbox.get("path")
    if path is not None and not (isinstance(path, str) and path):
        faults.append(Fault("outbox.path", path, "must be the path of a file"))
    outbox = folder / path if isinstance(path, str) and path else home / "agent" / f"{tenant}@{device}.sqlite"
    limits = Limits(
        int(_number(given_outbox, "max_mb", 256, 1, 1_000_000, "outbox.", faults) * 1e6),
        _number(given_outbox, "max_days", 30, 0.01, 100_000, "outbox.", faults) * 86_400,
    )
    window = int(_number(table, "window", WINDOW, 1, 1_000_000, "", faults))
    batch = int(_number(table, "batch", BATCH, 1, 10_000, "", faults))
    backlog_rate = _number(table, "backlog_rate", BACKLOG_RATE, 0, 1_000_000, "", faults)
    given_drivers = _table(table.get("drivers", {}), "drivers", faults)
    at_top = [kind for kind in kinds if kind in table and not (kind == "mqtt" and isinstance(table[kind], str))]
    given_drivers |= {kind: table[kind] for kind in at_top}  # the text `mqtt` is the platform's broker
    if not given_drivers:
        faults.append(Fault("drivers", given_drivers, f"none is given; there are {', '.join(drivers.names())}"))
    made = {name: _driver(name, given, folder, faults) for name, given in given_drivers.items()}
    commands = commanded.read_settings(_table(table.get("commands", {}), "commands", faults), environ, faults)
    tls = _tls(table, folder, url, faults)
    if faults:
        raise BadSettings(where, faults)
    return Settings(url, tenant, device, outbox, limits, window, batch, made, commands, backlog_rate, tls)


def _account(
    table: Mapping[str, object], environ: Mapping[str, str], folder: Path, faults: list[Fault]
) -> tuple[str, str, str]:
    """The broker's address with the account, and whose it is."""
    named, url = URL, environ.get(URL) or ""
    file, beside = environ.get(f"{URL}_FILE") or "", table.get("mqtt_file")
    if beside is not None and not (isinstance(beside, str) and beside):
        faults.append(Fault("mqtt_file", beside, "must be the path of a file"))
    elif beside is not None and "mqtt" in table and isinstance(table["mqtt"], str):
        faults.append(Fault("mqtt_file", beside, "is given besides mqtt: one of them"))
    elif beside and not file:
        file = str(folder / str(beside))
    if not url and file:
        named = f"{URL}_FILE" if environ.get(f"{URL}_FILE") else "mqtt_file"
        try:
            url = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            faults.append(Fault(named, file, f"cannot be read: {problem}"))
            return "", "", ""
    if not url:
        given = table.get("mqtt", "")
        named, url = "mqtt", given if isinstance(given, str) else ""
    if not url:
        faults.append(Fault(URL, None, "is missing: mqtt://tenant%2Fdevice:secret@host:port (or mqtt in the file)"))
        return "", "", ""
    try:
        address = BrokerAddress.of(url)
    except ValueError as problem:
        faults.append(Fault(named, "(not shown: it may hold a secret)", str(problem)))
        return "", "", ""
    tenant, _, device = address.user.partition("/")
    for what, name in (("tenant", tenant), ("device", device)):
        if not is_name(name):
            rule = f"the user name must be tenant%2Fdevice, the {what} {NAME_RULE}"
            faults.append(Fault(named, address.user, rule))
    return url, tenant, device


def _tls(table: Mapping[str, object], folder: Path, url: str, faults: list[Fault]) -> TlsFiles:
    """`ca`, `certificate` and `key`: paths of files (PEM), relative ones from `folder`."""
    paths = {}
    for name in _TLS:
        given = table.get(name)
        if given is None:
            continue
        path = folder / given if isinstance(given, str) and given else None
        if path is None or not path.is_file():
            faults.append(Fault(name, given, "must be the path of a file"))
        elif url and not url.startswith("mqtts:"):
            faults.append(Fault(name, given, "is for an address that begins with mqtts:"))
        else:
            paths[name] = str(path)
    if "certificate" in table and "key" not in table:
        faults.append(Fault("key", None, "is missing: the certificate's private key"))
    return TlsFiles(**paths)


def _driver(name: str, given: object, folder: Path, faults: list[Fault]) -> DriverSettings:
    where = f"drivers.{name}"
    table = dict(_table(given, where, faults))
    kind = table.pop("kind", name)
    units = _table(table.pop("units", {}), f"{where}.units", faults)
    for signal, unit in units.items():
        if not is_name(signal) or not isinstance(unit, str) or not unit:
            faults.append(Fault(f"{where}.units.{signal}", unit, "must be a signal and its UCUM code"))
    windows = read_windows(_table(table.pop("features", {}), f"{where}.features", faults), f"{where}.features", faults)
    exceptions = _exceptions(table, where, faults)
    options, found = drivers.check(str(kind), table, str(folder), where)
    faults += found
    stated = {} if found else drivers.load(str(kind)).plan(options).units
    all_units = {**stated, **{signal: str(unit) for signal, unit in units.items()}}
    return DriverSettings(str(kind), options, all_units, exceptions, windows)


def _exceptions(table: dict[str, object], where: str, faults: list[Fault]) -> Exceptions | None:
    """`deadband` and `at_least_every`, taken out of a driver's table; None without a deadband."""
    bands = _table(table.pop("deadband", {}), f"{where}.deadband", faults)
    made: dict[str, float] = {}
    for signal, band in bands.items():
        if not (is_name(signal) or signal == ALL_OTHERS):
            faults.append(
                Fault(f"{where}.deadband.{signal}", band, f"a signal's name is {NAME_RULE}; '*' = all others")
            )
        made[signal] = _number(bands, signal, 0.0, 0.0, 1e300, f"{where}.deadband.", faults)
    if "at_least_every" in table and not bands:
        faults.append(Fault(f"{where}.at_least_every", table["at_least_every"], "goes with deadband"))
    every = {"at_least_every": table.pop("at_least_every", AT_LEAST_EVERY_S)}
    seconds = _number(every, "at_least_every", AT_LEAST_EVERY_S, 1.0, 86_400.0, f"{where}.", faults)
    return Exceptions(made, seconds) if made else None


def _table(value: object, where: str, faults: list[Fault]) -> dict[str, object]:
    if isinstance(value, dict):
        return {str(name): inner for name, inner in value.items()}
    faults.append(Fault(where, value, "must be a table"))
    return {}


def _unknown(table: Mapping[str, object], known: tuple[str, ...], before: str) -> list[Fault]:
    rule = f"is not known here; known: {', '.join(known)}"
    return [Fault(f"{before}{name}", value, rule) for name, value in table.items() if name not in known]


def _number(
    table: Mapping[str, object], name: str, default: float, low: float, high: float, before: str, faults: list[Fault]
) -> float:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        faults.append(Fault(f"{before}{name}", value, f"must be a number from {low:g} to {high:g}"))
        return default
    return float(value)
