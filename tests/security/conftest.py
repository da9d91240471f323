"""A broker of each kind."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from plumbing.sql import Database
from tests.security.brokers import Fortress, fortress


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def house(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Fortress]:
    """Each broker, with TLS."""
    with ExitStack() as stack:
        yield fortress(str(request.param), database, tmp_path, stack)
