"""What the web asks of the services; `api.owners` answers it from their queries and commands.

Everything is scoped by the principal: what belongs to another tenant, customer or technician is None, as if it did
not exist. Commands raise `api.problems.Problem`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from anomaly.queries.misses import Miss, MissReport
from api.command_views import DeviceCommand, Examination, Hold, Remote
from api.roles import Principal
from api.views import (
    Asset,
    Case,
    Chart,
    Chore,
    Device,
    Figure,
    Ledger,
    Line,
    Notice,
    Order,
    Page,
    Refusal,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a list: filters (empty = all), the cursor, how many."""

    asset: str = ""
    state: str = ""
    after: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A registered device with its secret, which is shown once."""

    tenant: str
    device: str
    username: str
    password: str
    topic: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What the platform has had from a device: first message, the newest refusal, learning time left."""

    first_at: datetime | None
    samples: int
    values: dict[str, float]
    refusal: Refusal | None
    learning_hours_left: float | None
    learned: bool


class Reading(Protocol):
    """Questions."""

    def assets(self, who: Principal) -> Sequence[Asset]: ...
    def asset(self, who: Principal, asset: str) -> Asset | None: ...
    def mine(self, who: Principal) -> set[str]:
        """Ids of the assets that the principal may see."""
        ...

    def timeline(self, who: Principal, asset: str) -> Sequence[Line]: ...
    def case(self, who: Principal, case: str) -> Case | None: ...
    def cases(self, who: Principal, wanted: Wanted) -> Page: ...
    def order(self, who: Principal, order: str) -> Order | None: ...
    def orders(self, who: Principal, wanted: Wanted) -> Page: ...
    def notice(self, who: Principal, notice: str) -> Notice | None: ...
    def notices(self, who: Principal, wanted: Wanted) -> Page: ...
    def predictions(self, who: Principal, wanted: Wanted) -> Page: ...
    def findings(self, who: Principal, wanted: Wanted) -> Page: ...
    def labels(self, who: Principal, wanted: Wanted) -> Page: ...
    def misses(self, who: Principal, asset: str = "", limit: int = 50) -> Sequence[Miss]:
        """Breakdowns that nothing had called for, newest first."""
        ...

    def miss(self, who: Principal, finding: str) -> MissReport | None: ...
    def devices(self, who: Principal, wanted: Wanted) -> Page: ...
    def device(self, who: Principal, device: str) -> Device | None: ...
    def ledger(self, who: Principal, device: str, *, days: int = 7, signals: bool = False) -> Ledger | None: ...
    def refusals(self, who: Principal, wanted: Wanted) -> Page: ...
    def inbox(self, who: Principal) -> Sequence[Chore]: ...
    def figures(self, who: Principal) -> Sequence[Figure]: ...
    def models(self) -> Sequence[tuple[str, str]]:
        """Asset models: (name, title)."""
        ...

    def modes(self, model: str) -> Sequence[tuple[str, str]]:
        """Failure modes of an asset model: (name, title)."""
        ...

    def heard(self, who: Principal, device: str) -> Heard | None: ...
    def chart_signal(self, who: Principal, asset: str, signal: str, hours: float) -> Chart | None:
        """A signal, or `health` with its forecast band, or `compensated:SIGNAL`."""
        ...

    def chart_case(self, who: Principal, case: str) -> Chart | None: ...
    def chart_order(self, who: Principal, order: str) -> Chart | None: ...
    def chart_notice(self, who: Principal, notice: str) -> Chart | None: ...
    def commands(self, who: Principal, wanted: Wanted) -> Page: ...
    def holds(self, who: Principal, asset: str) -> Sequence[Hold]: ...
    def commands_of(self, who: Principal, devices: Collection[str], limit: int) -> Sequence[DeviceCommand]:
        """The newest of these devices."""
        ...

    def command(self, who: Principal, id: str) -> DeviceCommand | None: ...
    def remote(self, who: Principal, device: str) -> Remote | None:
        """What may be asked of a device."""
        ...

    def examinations(
        self, who: Principal, *, case: str = "", asset: str = "", limit: int = 50
    ) -> Sequence[Examination]:
        """Guided diagnoses, newest first."""
        ...

    def tick(self, tenant: str) -> dict[str, Any]:
        """State of all assets for the live stream: {now, factor, assets: {id: [state, health]}}."""
        ...

    def subject_of(self, tenant: str, role: str) -> str:
        """The customer or technician whose turn it is now (for the one-click switch of the demo); may be empty."""
        ...

    def name_of(self, tenant: str, subject: str) -> str:
        """Name of a customer or technician; empty if there is none."""
        ...


class Commanding(Protocol):
    """Commands: None when what is named is not the principal's."""

    def move_case(self, who: Principal, case: str, action: str, fields: dict[str, str]) -> Case | None: ...
    def move_order(self, who: Principal, order: str, action: str, fields: dict[str, str]) -> Order | None: ...
    def do_task(self, who: Principal, order: str, n: int, action: str, result: str) -> Order | None: ...
    def find(self, who: Principal, order: str, fields: dict[str, str]) -> Order | None: ...
    def break_down(self, who: Principal, asset: str, fields: dict[str, str]) -> str | None:
        """Report a breakdown; the case."""
        ...

    def answer(self, who: Principal, notice: str, answer: str, fields: dict[str, str]) -> Notice | None: ...
    def add_device(self, who: Principal, device: str, model: str) -> NewDevice: ...
    def revoke_device(self, who: Principal, device: str) -> bool: ...
    def send_command(self, who: Principal, device: str, name: str, args: dict[str, Any], **more: Any) -> DeviceCommand:
        """Issue a command; `more`: lifetime_s, case_id, why."""
        ...

    def move_command(self, who: Principal, id: str, action: str) -> DeviceCommand | None:
        """`approve` or `cancel`."""
        ...

    def switch_guarded(self, who: Principal, device: str, on: bool) -> Remote | None: ...
    def set_hold(self, who: Principal, asset: str, kind: str, note: str) -> str: ...
    def release_hold(self, who: Principal, hold: str) -> bool: ...


class Owners(Reading, Commanding, Protocol):
    """Both."""
