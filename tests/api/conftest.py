"""A company of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.company import Company, found_company


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company without any history."""
    made = found_company(tmp_path)
    yield made
    made.world.database.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Company]:
    """The simulated company of the demo."""
    made = found_company(tmp_path, "demo", simulated=True)
    made.pace(3600.0)
    yield made
    made.world.database.close()
