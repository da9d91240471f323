"""Sends events to webhooks: several side by side, so that a slow receiver holds up nobody but himself."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from plumbing.runtime import Shared
from work_orders.adapters.lanes import Lanes
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
        self._stopping, self._lanes = threading.Event(), Lanes("webhook")
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
        self._lanes.close()

    def healthy(self) -> str:
        """Empty when well; a receiver that takes nothing is no illness of ours."""
        return self._trouble or ("" if self._thread.is_alive() or self._stopping.is_set() else "not running")

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                for due in self._due():
                    self._offer(*due)
                self._trouble = ""
            except SQLAlchemyError as failure:
                self._trouble = f"webhooks wait: {str(failure).splitlines()[0]}"
                logger.warning("%s", self._trouble)
            except Exception:
                logger.exception("a round of webhooks failed")

    def round(self) -> int:
        """Give every webhook that has something to do a turn and wait for all; how many events were taken. A fault of
        ours at one is raised when all others had their turn."""
        left, turns = self._due(), list[Future[int]]()
        while left:
            begun = {due: turn for due in left if (turn := self._offer(*due)) is not None}
            wait(begun.values())
            turns += begun.values()
            left = [due for due in left if due not in begun]
        return sum(turn.result() for turn in turns)

    def _due(self) -> list[tuple[str, str, str]]:
        """(tenant, id, host) of webhooks with something to do, whose turn was longest ago first."""
        with self._shared.database.read() as connection:
            found = service.due_webhooks(connection, self._shared.system.now())
        due = [(tenant, id, urlsplit(url).netloc.lower()) for tenant, id, url in found]
        return sorted(due, key=lambda one: self._lanes.last(one[:2]))

    def _offer(self, tenant: str, id: str, host: str) -> Future[int] | None:
        return self._lanes.offer((tenant, id), host, partial(self._alone, tenant, id))

    def _alone(self, tenant: str, id: str) -> int:
        """The turn of a webhook that nobody else sends to now."""
        if self._stopping.is_set() or not service.lease(self._shared, tenant, id):
            return 0
        try:
            return self._turn(tenant, id)
        except SQLAlchemyError as failure:
            logger.warning("webhook %s of %s waits: %s", id, tenant, str(failure).splitlines()[0])
            raise
        except Exception:
            logger.exception("the turn of webhook %s of %s failed", id, tenant)
            raise
        finally:
            service.release(self._shared, tenant, id)

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
