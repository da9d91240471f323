"""Fits in a process of their own: a fit takes up to a second, in which the threads of this process would stand still.

The child is started when the first fit is asked for and lives until `close`. It reads jobs from its standard input and
answers in turn; a machine's fit takes effect at the same row as if it had been made here, while others go on
(`domain.fits`). It ends with its parent, whatever ends that. `python -m anomaly.adapters.fitting` is the child.
"""

import logging
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from anomaly.domain.baseline import Baseline, Training
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.layout import Layout

TRIES = 3
STOP_S = 5.0
logger = logging.getLogger(__name__)


class FitWorker:
    """`domain.baseline.Fitter` and `domain.fits.Submit` in a child process. One job at a time: others wait."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._queue = ThreadPoolExecutor(1, "fits")

    @property
    def pid(self) -> int | None:
        """The child's; None = there is none now."""
        return None if self._child is None else self._child.pid

    def __call__(self, training: Training, layout: Layout) -> Baseline:
        """Fit; a child that dies over it is replaced and the job done again, at last in this process."""
        with self._turn:
            for _ in range(TRIES):
                try:
                    return self._ask(training, layout)
                except (OSError, EOFError, pickle.UnpicklingError) as failure:
                    logger.warning("the process that fits has ended (%s), starting another", type(failure).__name__)
                    self._end()
        logger.error("no process for fits could be kept alive, fitting here")
        return fit_with_noise(training, layout)

    def submit(self, training: Callable[[], Training], layout: Layout) -> Future[Baseline]:
        """Fit when its turn comes; returns at once."""
        return self._queue.submit(lambda: self(training(), layout))

    def close(self) -> None:
        """End the child, and what waits for it; the next fit that is waited for would start another."""
        self._queue.shutdown(cancel_futures=True)
        with self._turn:
            self._end()

    def _ask(self, training: Training, layout: Layout) -> Baseline:
        if self._child is None:
            command = [sys.executable, "-m", __name__]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        to, answers = self._child.stdin, self._child.stdout
        assert to is not None
        assert answers is not None
        pickle.dump((training, layout), to)
        to.flush()
        base: Baseline = pickle.load(answers)
        return base

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                logger.debug("the child had gone")
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer jobs until there are no more."""
    while True:
        try:
            training, layout = pickle.load(jobs)
        except EOFError:
            return
        pickle.dump(fit_with_noise(training, layout), answers)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
