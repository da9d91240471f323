"""Service reports: as a page, and as a sealed PDF that is made in a child process, one at a time."""

import threading
from collections import OrderedDict

from api.owners.service_work import own
from api.problems import Problem, not_found
from api.roles import Principal
from plumbing.runtime import Shared
from work_orders.adapters import service_report
from work_orders.adapters.report_pdf import NoPdf
from work_orders.queries.service_record import service_record

KEPT = 8
"""PDFs that are kept in memory: the same facts make the same one."""
WAITING = 4
"""So many may wait for a PDF, each in one of the threads that answer everybody."""


class Reports:
    """Reports of one installation. `key`: FOREWARN_AUDIT_KEY; empty = that of the home folder."""

    def __init__(self, shared: Shared, key: str) -> None:
        self._shared, self._key = shared, key
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._lock, self._room = threading.Lock(), threading.BoundedSemaphore(WAITING)

    def page(self, who: Principal, order: str) -> str:
        """The HTML. Raises Problem."""
        return self._draft(who, order).html()

    def pdf(self, who: Principal, order: str) -> bytes:
        """The sealed PDF. Raises Problem: 409 where it cannot be made here, saying what to do; 503 if others wait."""
        draft = self._draft(who, order)
        if not self._room.acquire(blocking=False):
            raise Problem(503, "Other reports are being printed. Try again in a moment.")
        try:
            return self._printed(draft)
        finally:
            self._room.release()

    def _printed(self, draft: service_report.Draft) -> bytes:
        name = draft.fingerprint()
        with self._lock:
            if name in self._made:
                self._made.move_to_end(name)
                return self._made[name]
            try:
                made = service_report.report(self._shared, self._key, draft)
            except NoPdf as no:
                raise Problem(409, str(no)) from no
            self._made[name] = made
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
            return made

    def _draft(self, who: Principal, order: str) -> service_report.Draft:
        found = service_record(self._shared, who.tenant, order, **own(who))
        if found is None:
            raise not_found("work order")
        return service_report.draft(self._shared, self._key, *found)
