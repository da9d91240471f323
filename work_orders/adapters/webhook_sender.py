"""Sends events to webhooks: a thread of its own, so that a slow receiver holds up nobody but himself."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from plumbing.runtime import Shared
from work_orders.adapters.webhook_post import Answer, post
from work_orders.domain import webhooks as rules
from work_orders.domain.webhooks import Reach
from work_orders.service import webhooks as service
from work_orders.service.unit import Row

LOOK_SECONDS = 0.5
TURN_SECONDS = 5.0
"""After so long the next webhook has its turn."""
logger = logging.getLogger(__name__)
Post = Callable[[str, Mapping[str, str], bytes, Reach, Callable[[], float]], Answer]


class WebhookSender:
    """A plumbing.runtime.Service. Any number of processes may run one: a webhook is leased to one sender."""

    name = "webhooks"

    def __init__(self, shared: Shared, reach: Reach, send: Post = post) -> None:
        self._shared, self._reach, self._post = shared, reach, send
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._trouble = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the event that is being sent; what waits is sent at the next start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def healthy(self) -> str:
        """Empty when well; a receiver that takes nothing is no illness of ours."""
        return self._trouble or ("" if self._thread.is_alive() or self._stopping.is_set() else "not running")

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.round()
                self._trouble = ""
            except SQLAlchemyError as failure:
                self._trouble = f"webhooks wait: {str(failure).splitlines()[0]}"
                logger.warning("%s", self._trouble)
            except Exception:
                logger.exception("a round of webhooks failed")

    def round(self) -> int:
        """Give every webhook that has something to do its turn; how many events were taken. A fault of ours at one is
        raised when all others had their turn."""
        with self._shared.database.read() as connection:
            due = service.due_webhooks(connection, self._shared.system.now())
        taken, failures = 0, []
        for tenant, id in due:
            if not self._stopping.is_set() and service.lease(self._shared, tenant, id):
                try:
                    taken += self._turn(tenant, id)
                except (OperationalError, InterfaceError):
                    raise
                except Exception as failure:
                    logger.exception("the turn of webhook %s of %s failed", id, tenant)
                    failures.append(failure)
                finally:
                    service.release(self._shared, tenant, id)
        if failures:
            raise failures[0]
        return taken

    def _turn(self, tenant: str, id: str) -> int:
        shared, taken = self._shared, 0
        until = shared.system.monotonic() + TURN_SECONDS
        reach = replace(self._reach, inside_only=True) if shared.clocks.simulated(tenant) else self._reach
        while not self._stopping.is_set() and shared.system.monotonic() <= until:
            looked = service.collect(shared, tenant, id)
            with shared.database.read() as connection:
                row = service.active(connection, tenant, id)
                waiting = service.to_send(connection, tenant, id, shared.system.now()) if row else []
            if row is None or not (looked or waiting):
                break
            for one in waiting:
                done, go_on = self._send(row, one, reach)
                taken += done
                if not go_on or self._stopping.is_set() or shared.system.monotonic() > until:
                    return taken
        return taken

    def _send(self, row: Row, one: service.Outgoing, reach: Reach) -> tuple[bool, bool]:
        """Whether it was taken, and whether to go on with this webhook now."""
        wall = self._shared.system.now()
        id, stamp = rules.event_id(row.tenant, one.seq), int(wall.timestamp())
        secrets = [row.secret]
        if row.old_secret and row.old_until and wall < row.old_until:
            secrets.append(row.old_secret)
        headers = {
            "User-Agent": "Forewarn", "Content-Type": "application/cloudevents+json; charset=utf-8", "webhook-id": id,
            "webhook-timestamp": str(stamp), "webhook-signature": rules.signature(secrets, id, stamp, one.body),
        }  # fmt: skip
        answer = self._post(row.url, headers, one.body, reach, self._shared.system.monotonic)
        if 200 <= answer.status < 300:
            service.delivered(self._shared, row.tenant, row.id, one.seq)
            return True, True
        down = answer.status in (0, 408, 425, 429) or answer.status >= 500
        said = answer.error or f"answered {answer.status}"
        if 300 <= answer.status < 400:
            said += ": redirects are not followed"
        gone = answer.status == 410
        service.failed(self._shared, row.tenant, row.id, one.seq, said, down=down, gone=gone)
        return False, not (down or gone)
