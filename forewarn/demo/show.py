"""The demo from beginning to end: stage, history, machines, director, story."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from forewarn.demo import stage, story
from forewarn.demo.cards import Book
from forewarn.demo.director import Director
from forewarn.demo.facts import Facts
from forewarn.demo.machines import Machines
from forewarn.demo.people import Engineer, People
from forewarn.embedded import Embedded
from forewarn.web import Web
from simulators.pumps import MODEL

BAR = 32


class Show:
    """`prepare` before the product starts, `begin` after it, `end` before it stops."""

    tenant = stage.TENANT

    def __init__(
        self, product: Embedded, book: Book, seed: int, *, autopilot: bool, elapsed: Callable[[], float]
    ) -> None:
        self._product, self._shared = product, product.shared
        self._autopilot = autopilot
        self._facts = Facts(product.home / "demo.json")
        stage.begin(self._shared, self._facts, seed)
        book.open(self._shared, self._facts)
        self._story = story.Story(self._shared, self._facts, elapsed, print_line)
        self._machines: Machines | None = None
        self._director: Director | None = None
        self._clients: list[Web] = []

    @staticmethod
    def subject(role: str) -> str:
        """Which customer or technician a sign-in link is for: those of the served pump."""
        return {"customer": stage.PUMPS["pump-01"], "technician": stage.TECHNICIANS[0][0]}.get(role, "")

    def prepare(self) -> None:
        """Register the pumps."""
        self._secrets = stage.secrets(self._shared, self._facts.fleet())

    def begin(self) -> None:
        """Load the history of a new world, let the clock run, bring in machines and people."""
        self._story.note("ready", f"Ready on {self._product.http}")
        if self._facts.there.loaded:
            self._facts.run_begins()
            self._story.note("history_loaded", "The story goes on where it stood.")
        else:
            rows = stage.history(self._shared, self._facts.fleet(), _bar)
            self._story.note("history_loaded", f"90 days of history of 8 pumps are loaded: {rows} samples.")
            self._facts.history_is_loaded()
            self._facts.run_begins()
        self._story.start()
        clock = self._shared.clocks.of(stage.TENANT)
        address = urlsplit(self._product.mqtt)
        self._machines = Machines(
            self._facts, clock, (address.hostname or "127.0.0.1", address.port or 1883), stage.TENANT, self._secrets,
            self._shared.system.monotonic,
            lambda pump, part, at: self._director.failed(pump, part, at) if self._director else None,
        )  # fmt: skip
        if self._facts.there.runs > 1:
            self._another()
        self._director = Director(
            self._shared, self._facts, self._machines, self._client("dispatcher"),
            Engineer(self._client("engineer"), stage.PUMPS, print_line),
            self._people() if self._autopilot else None, print_line,
        )  # fmt: skip
        self._machines.start()
        self._director.start()
        self._shared.clocks.change(stage.TENANT, stage.PACE)

    def _another(self) -> None:
        """At every later start another healthy pump begins to wear."""
        if self._machines is None:
            return
        healthy = self._machines.fleet.healthy()
        if healthy:
            name = self._machines.wear_another(healthy[0], self._shared.clocks.of(stage.TENANT).now())
            print_line(f"The bearing of {name} begins to wear.")

    def _client(self, role: str, subject: str = "") -> Web:
        made = Web(self._product.http, self._product.key(stage.TENANT, role, subject))
        self._clients.append(made)
        return made

    def _people(self) -> People:
        customers = [self._client("customer", id) for id, _, _ in stage.CUSTOMERS if id != stage.WATCHED]
        technicians = [self._client("technician", id) for id, _, _ in stage.TECHNICIANS]
        return People(customers, technicians, self._client("dispatcher"), self._look)

    def _look(self, asset: str, now: datetime) -> str:
        """The failure mode that a technician finds."""
        component = self._machines.worn(asset, now) if self._machines else ""
        model = self._shared.models(MODEL)
        return model.components[component].modes[0].name if model and component else ""

    def end(self, report: Path | None) -> None:
        """Let the machines' last readings be stored, then write the report."""
        if self._director:
            self._director.stop()
        if self._machines:
            self._machines.stop()
        self._story.stop()
        if report:
            story.write(report, self._story.report(self._readings()))
        for client in self._clients:
            client.close()

    def _readings(self) -> dict[str, int]:
        from ingest.service.ledger import ledger

        total = dict.fromkeys(("sent", "stored", "duplicate", "quarantined", "discarded", "lost"), 0)
        for pump in self._facts.fleet().pumps:
            account = ledger(self._shared.database, stage.TENANT, pump.name)
            for name in total:
                total[name] += account.total(name)
        return total


def print_line(text: str) -> None:
    """A line of the story."""
    print(text, flush=True)


def _bar(done: int, of: int) -> None:
    full = BAR * done // of
    end = "\n" if done == of else ""
    print(f"\r  loading 90 days of history  [{'#' * full}{'.' * (BAR - full)}] {done} of {of}", end=end, flush=True)
