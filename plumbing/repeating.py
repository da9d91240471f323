"""Something done again and again in a thread of its own, whatever became of it the last time."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)


class Repeating:
    """A `plumbing.runtime.Service`: `do` after `first_s`, then every `every_s` wall seconds."""

    def __init__(self, name: str, do: Callable[[], object], first_s: float, every_s: float) -> None:
        self.name = name
        self._do, self._first_s, self._every_s = do, first_s, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._trouble = ""

    def start(self) -> None:
        """Begin; the first time comes after a pause."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def ending(self) -> bool:
        """Whether it shall end: what takes long asks now and then."""
        return self._stopping.is_set()

    def healthy(self) -> str:
        """Empty when well."""
        return self._trouble if self._thread.is_alive() else f"{self.name}: not running"

    def _run(self) -> None:
        wait = self._first_s
        while not self._stopping.wait(wait):
            wait = self._every_s
            try:
                self._do()
                self._trouble = ""
            except SQLAlchemyError as failure:
                self._say(f"{self.name}: {str(failure).splitlines()[0]}")
            except Exception:
                logger.exception("%s failed", self.name)
                self._trouble = f"{self.name} failed, see the log"

    def _say(self, trouble: str) -> None:
        if not self._trouble:
            logger.warning("%s", trouble)
        self._trouble = trouble
