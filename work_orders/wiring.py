"""Puts the service together and runs it: one thread that takes forecasts and does what is due."""

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from contracts.records import COMMAND_RESULTS, PREDICTIONS, PRESENCE
from plumbing.runtime import Service, Shared
from work_orders.adapters.consumer import examine, place, register, skip_next, take_next, take_results
from work_orders.adapters.outage_reader import take_outage
from work_orders.adapters.signing import Signing
from work_orders.adapters.webhook_sender import WebhookSender
from work_orders.domain.webhooks import Reach
from work_orders.service.contacts import MAIL
from work_orders.service.due import tenants_with_work, tick
from work_orders.service.escalating import Colleagues, nobody
from work_orders.service.keeping import let_go
from work_orders.service.one_by_one import each
from work_orders.service.sending import WEB, Channel
from work_orders.settings import Settings

WAIT_AFTER_TROUBLE_S, KEEP_EVERY_S = 1.0, 3600.0
_REFUSED = (DataError, IntegrityError)
"""The database answers: it is the row that is at fault."""
logger = logging.getLogger(__name__)
OUTAGES_AT_ONCE = 100


def _unreachable(failure: Exception) -> bool:
    return isinstance(failure, DBAPIError) and not isinstance(failure, _REFUSED)


class _Taker:
    """Takes what came in a topic. After a failure that the database is not to blame for it takes a batch singly, then
    passes the bad entry over."""

    def __init__(self, take: Callable[[Shared, int], int], topic: str, batch: int) -> None:
        self._take, self._topic, self._batch = take, topic, batch
        self._singly = 0
        self._bad: int | None = None

    def __call__(self, shared: Shared) -> int:
        """How many entries were taken."""
        if self._bad is not None:
            passed = skip_next(shared, self._topic, self._bad)
            if passed:
                logger.error("passed over: %s", passed)
            self._bad, self._singly = None, max(0, self._singly - 1)
        at = place(shared, self._topic) if self._singly else None
        try:
            taken = self._take(shared, 1 if self._singly else self._batch)
        except Exception as failure:
            if not _unreachable(failure):
                self._bad, self._singly = at, self._singly or self._batch
            raise
        self._singly = max(0, self._singly - taken)
        return taken


class WorkOrdersService:
    """A running work_orders: plumbing.runtime.Service. Any number of processes may run one."""

    name = "work_orders"

    def __init__(
        self, settings: Settings, shared: Shared, channels: Sequence[Channel] = (WEB,), colleagues: Colleagues = nobody,
    ) -> None:  # fmt: skip
        self._settings, self._shared, self._channels = settings, shared, tuple(channels)
        self._colleagues = colleagues if any(c.name == MAIL for c in channels) else nobody
        self._beside: tuple[Service, ...] = (
            WebhookSender(shared, Reach(settings.webhook_networks)),
            *_post_rooms(settings, shared, channels),
        )
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""
        self._ticked = -settings.tick_seconds
        self._kept = shared.system.monotonic()
        self._due: list[str] = []
        self._forecasts = _Taker(take_next, PREDICTIONS, settings.batch)
        self._results = _Taker(take_results, COMMAND_RESULTS, settings.batch)
        self._outages = _Taker(lambda shared, _: int(take_outage(shared)), PRESENCE, 1)

    def start(self) -> None:
        """Begin; returns at once."""
        for service in self._beside:
            service.start()
        self._thread = threading.Thread(target=self._run, name="work orders", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the round that runs; what is left waits in the log."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for service in reversed(self._beside):
            service.stop()

    def healthy(self) -> str:
        """Empty when well."""
        if self._thread is None or not self._thread.is_alive():
            return self._trouble or "not running"
        return self._trouble or "; ".join(wrong for s in self._beside if (wrong := s.healthy()))

    def _run(self) -> None:
        registered = False
        while not self._stopping.is_set():
            try:
                if not registered:
                    register(self._shared)
                    registered = True
                busy = self.round()
                self._trouble = ""
            except Exception as failure:
                if _unreachable(failure):
                    self._trouble = f"the database does not answer: {getattr(failure, 'orig', failure)}"
                    logger.warning("%s", self._trouble)
                    self._stopping.wait(WAIT_AFTER_TROUBLE_S)
                    continue
                logger.exception("a round failed")
                self._trouble = "a round failed, see the log"
                self._stopping.wait(self._settings.tick_seconds)
            else:
                if not busy:
                    self._stopping.wait(self._settings.poll_seconds)

    def round(self) -> bool:
        """Take what came and do what is due, each whatever becomes of the others; whether there is more to take."""
        steps: tuple[Callable[[Shared], int], ...] = (
            self._forecasts, self._results, examine, self._do_due, self._keep,
        )  # fmt: skip
        return each(lambda step: step(self._shared), steps) > 0

    def _do_due(self, shared: Shared) -> int:
        """A tenant whose due work fails has left the queue; the others go on."""
        monotonic = shared.system.monotonic()
        if not self._due and monotonic - self._ticked >= self._settings.tick_seconds:
            self._ticked = monotonic
            with shared.database.read() as connection:
                self._due = tenants_with_work(connection)
            for _ in range(OUTAGES_AT_ONCE):
                if self._stopping.is_set() or not self._outages(shared):
                    break
        while self._due:
            tenant = self._due.pop()
            tick(shared, tenant, self._channels, handing_over=False, colleagues=self._colleagues)
        return 0

    def _keep(self, shared: Shared) -> int:
        monotonic = shared.system.monotonic()
        if monotonic - self._kept >= KEEP_EVERY_S:
            self._kept = monotonic
            let_go(shared.database, shared.system.now())
        return 0


def build(settings: Settings, shared: Shared, colleagues: Colleagues = nobody) -> Service:
    """The service of one process; `colleagues` says who has which mail address."""
    return WorkOrdersService(settings, shared, channels_of(settings), colleagues)


def signing(settings: Settings, shared: Shared) -> Service:
    """What signs the audit chains' checkpoints. Started before what writes to them and stopped after it, it leaves
    nothing unsigned."""
    return Signing(shared, settings.audit_key)


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """What is set up: mail, other services, and the web inbox last."""
    found: list[Channel] = []
    if settings.smtp_url:
        from work_orders.adapters.smtp import SmtpChannel, SmtpServer

        server = SmtpServer.of(settings.smtp_url)
        found.append(
            SmtpChannel(
                server, settings.mail_from, settings.pages, reply_to=settings.mail_reply_to, tagged=settings.mail_tags
            )
        )
    if settings.channels:
        from work_orders.adapters.apprise_channel import AppriseChannel, parse

        found += [AppriseChannel(name, urls, settings.pages) for name, urls in parse(settings.channels).items()]
    return (*found, WEB)


def _post_rooms(settings: Settings, shared: Shared, channels: Sequence[Channel]) -> list[Service]:
    """What hands messages over and takes mail in, where that is set up."""
    rooms: list[Service] = []
    if any(c.leaves for c in channels):
        from work_orders.adapters.poster import Poster

        rooms.append(Poster(shared, channels))
    if settings.imap_url:
        from work_orders.adapters.imap import Mailbox, MailIn

        rooms.append(MailIn(shared, Mailbox.of(settings.imap_url), settings.mail_tenant, settings.imap_seconds))
    return rooms
