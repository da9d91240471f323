"""Fits on one thread: the library's own threads wait by spinning, and on a busy machine that costs a hundredfold."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, scikit-learn and numpy's linear algebra use the calling thread alone."""
    from threadpoolctl import threadpool_limits

    import_module("sklearn.ensemble")  # limits hold for libraries that are there already
    with threadpool_limits(limits=1):
        yield
