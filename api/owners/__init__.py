"""Answers `api.ports` from the services' queries and commands. The only modules of api that know other packages."""

from collections.abc import Callable, Sequence
from typing import Any

from anomaly.queries.labels import labels
from anomaly.queries.misses import Miss, MissReport, misses
from api.owners import machines
from api.owners.charts import Charts, in_language
from api.owners.commands import Commands
from api.owners.condition import Conditions, conditions
from api.owners.conversations import Conversations
from api.owners.device_commands import DeviceCommands
from api.owners.devices import Devices
from api.owners.feedback import FeedbackActions
from api.owners.insights import Insights
from api.owners.jobs import Jobs
from api.owners.service_work import ServiceWork
from api.owners.webhooks import Webhooks
from api.ports import Heard, NewDevice, Wanted
from api.roles import Principal, Role
from api.views import Asset, Case, Chart, Chore, Device, Ledger, Line, Notice, Order, Page
from contracts.asset_model import AssetModel
from plumbing.runtime import Shared
from work_orders import queries
from work_orders.service.contacts import language_in

OPEN_JOBS = ("dispatched", "in_progress", "work_done", "scheduled")


class ServiceOwners(DeviceCommands, Insights):
    """`api.ports.Owners` on the running services."""

    def __init__(
        self,
        shared: Shared,
        model_names: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        super().__init__(shared)
        self._model_names = model_names
        self._work, self._devices = ServiceWork(shared), Devices(shared)
        self._charts, self._commands = Charts(shared), Commands(shared)

    def _conditions(self, tenant: str) -> Conditions:
        return conditions(self._shared.database, tenant)

    def assets(self, who: Principal) -> Sequence[Asset]:
        return machines.assets(self._shared, who, self._conditions(who.tenant))

    def asset(self, who: Principal, asset: str) -> Asset | None:
        found = machines.assets(self._shared, who, self._conditions(who.tenant), asset)
        return found[0] if found else None

    def mine(self, who: Principal) -> set[str]:
        return machines.mine(self._shared, who)

    def timeline(self, who: Principal, asset: str) -> Sequence[Line]:
        return machines.timeline(self._shared, who, asset)

    def case(self, who: Principal, case: str) -> Case | None:
        return self._work.case(who, case)

    def cases(self, who: Principal, wanted: Wanted) -> Page:
        return self._work.cases(who, wanted)

    def order(self, who: Principal, order: str) -> Order | None:
        return self._work.order(who, order)

    def orders(self, who: Principal, wanted: Wanted) -> Page:
        return self._work.orders(who, wanted)

    def notice(self, who: Principal, notice: str) -> Notice | None:
        return self._work.notice(who, notice)

    def notices(self, who: Principal, wanted: Wanted) -> Page:
        return self._work.notices(who, wanted)

    def predictions(self, who: Principal, wanted: Wanted) -> Page:
        return self._work.predictions(who, wanted)

    def findings(self, who: Principal, wanted: Wanted) -> Page:
        return self._work.findings(who, wanted)

    def labels(self, who: Principal, wanted: Wanted) -> Page:
        found = labels(
            self._shared.database, who.tenant, asset=wanted.asset or None, verdict=wanted.state or None,
            after=wanted.after or None, limit=wanted.limit,
        )  # fmt: skip
        return Page(found.items, found.next)

    def misses(self, who: Principal, asset: str = "", limit: int = 50) -> Sequence[Miss]:
        return misses(self._shared.database, who.tenant, asset=asset or None, limit=limit)

    def miss(self, who: Principal, finding: str) -> MissReport | None:
        found = self._charts.missed_of(who.tenant, finding)
        return None if found is None else found.report

    def break_down(self, who: Principal, asset: str, fields: dict[str, str]) -> str | None:
        return self._commands.break_down(who, asset, fields) if asset in self.mine(who) else None

    def devices(self, who: Principal, wanted: Wanted) -> Page:
        return self._devices.devices(who, wanted)

    def device(self, who: Principal, device: str) -> Device | None:
        return self._devices.device(who, device)

    def ledger(self, who: Principal, device: str, *, days: int = 7, signals: bool = False) -> Ledger | None:
        return self._devices.ledger(who, device, days=days, signals=signals)

    def refusals(self, who: Principal, wanted: Wanted) -> Page:
        return self._devices.refusals(who, wanted)

    def inbox(self, who: Principal) -> Sequence[Chore]:
        return [
            *self._work.inbox(who), *Jobs(self._shared).chores(who), *Conversations(self._shared).chores(who),
            *self.sensor_chores(who), *Webhooks(self._shared).chores(who), *FeedbackActions(self._shared).chores(who),
        ]  # fmt: skip

    def models(self) -> Sequence[tuple[str, str]]:
        found: list[AssetModel] = [m for n in self._model_names() if (m := self._shared.models(n)) is not None]
        return [(m.name, m.title) for m in found]

    def modes(self, model: str) -> Sequence[tuple[str, str]]:
        found = self._shared.models(model)
        return [(m.name, m.title) for c in found.components.values() for m in c.modes] if found else []

    def heard(self, who: Principal, device: str) -> Heard | None:
        return self._devices.heard(who, device, self._conditions(who.tenant))

    def chart_signal(self, who: Principal, asset: str, signal: str, hours: float) -> Chart | None:
        return self._charts.signal(who, asset, signal, hours)

    def chart_case(self, who: Principal, case: str) -> Chart | None:
        return self._charts.case(who, case)

    def chart_order(self, who: Principal, order: str) -> Chart | None:
        found = self._work.order(who, order)
        return self._charts.case(who, found.case) if found else None

    def chart_notice(self, who: Principal, notice: str) -> Chart | None:
        found = self._work.notice(who, notice)
        drawn = self._charts.case(who, found.case) if found else None
        return drawn and in_language(drawn, self.language_of(who.tenant, who.subject))

    def tick(self, tenant: str) -> dict[str, Any]:
        office = Principal(tenant, Role.ADMIN, "", "", "", None)
        clock = self._shared.clocks.of(tenant)
        return {
            "now": clock.now(),
            "factor": clock.factor,
            "assets": {a.id: [a.state, a.health] for a in self.assets(office)},
        }

    def subject_of(self, tenant: str, role: str) -> str:
        office = Principal(tenant, Role.ADMIN, "", "", "", None)
        if role == Role.CUSTOMER:
            found: Sequence[Notice] = self.notices(office, Wanted(limit=20)).items
            chosen = [n for n in found if n.open] or list(found)
            if chosen:
                return chosen[0].customer_id
            with self._shared.database.read() as connection:
                everybody = queries.customers(connection, tenant)
            return everybody[0].id if everybody else ""
        if role == Role.TECHNICIAN:
            with self._shared.database.read() as connection:
                jobs = [o for o in queries.orders(connection, tenant, limit=50).items if o.technician_id]
                everybody = queries.technicians(connection, tenant)
            chosen_jobs = [o for o in jobs if o.state in OPEN_JOBS] or jobs
            if chosen_jobs:
                return str(chosen_jobs[0].technician_id)
            return everybody[0].id if everybody else ""
        return ""

    def name_of(self, tenant: str, subject: str) -> str:
        with self._shared.database.read() as connection:
            return queries.people(connection, tenant).get(subject, "")

    def language_of(self, tenant: str, customer: str) -> str:
        with self._shared.database.read() as connection:
            return language_in(connection, tenant, customer) or "en"

    def move_case(self, who: Principal, case: str, action: str, fields: dict[str, str]) -> Case | None:
        self._commands.move_case(who, case, action, fields)
        return self._work.case(who, case)

    def move_order(self, who: Principal, order: str, action: str, fields: dict[str, str]) -> Order | None:
        self._commands.move_order(who, order, action, fields)
        return self._work.order(who, order)

    def do_task(self, who: Principal, order: str, n: int, action: str, result: str) -> Order | None:
        self._commands.do_task(who, order, n, action, result)
        return self._work.order(who, order)

    def find(self, who: Principal, order: str, fields: dict[str, str]) -> Order | None:
        self._commands.find(who, order, fields)
        return self._work.order(who, order)

    def answer(self, who: Principal, notice: str, answer: str, fields: dict[str, str]) -> Notice | None:
        self._commands.answer(who, notice, answer, fields)
        return self._work.notice(who, notice)

    def add_device(self, who: Principal, device: str, model: str) -> NewDevice:
        return self._devices.add_device(who, device, model)

    def revoke_device(self, who: Principal, device: str) -> bool:
        return self._devices.revoke_device(who, device)
