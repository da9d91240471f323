"""The same rows give the same scores, alarms and forecasts, however they are cut, however often it restarts."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from anomaly.domain.detector import Scores
from anomaly.domain.forecast import Forecast
from anomaly.domain.packing import pack, unpack
from anomaly.domain.watch import AlarmChanged, Event, Watch
from contracts.asset_model import AssetModel
from tests.anomaly.machines import MODEL, SIGNALS, life
from tests.anomaly.variants import VARIANTS


def restarted(watch: Watch) -> Watch:
    """The watch after a crash: from its snapshot alone."""
    return Watch(watch.model, unpack(msgspec.msgpack.decode(msgspec.msgpack.encode(pack(watch.memory)))))


def run(model: AssetModel, sizes: Sequence[int], restarts: bool) -> tuple[list[Scores], list[Event], Watch]:
    t_us, values = life(400, fails_at=380)
    watch, at, turn = Watch(model), 0, 0
    scores, events = [], []
    while at < len(t_us):
        size = sizes[turn % len(sizes)]
        rows = watch.layout.arrange(SIGNALS, values[at : at + size])
        found, happened = watch.feed(t_us[at : at + size], rows)
        scores.append(found)
        events += happened
        at, turn = at + size, turn + 1
        if restarts and turn % 5 == 0:
            watch = restarted(watch)
    return scores, events, watch


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_pieces_and_restarts_change_nothing(name: str) -> None:
    model = VARIANTS[name]
    whole, all_events, _ = run(model, [10_000], restarts=False)
    pieces, events, _ = run(model, [1, 7, 40, 3, 144, 2], restarts=True)
    for field in ("t_us", "why"):
        assert np.array_equal(
            np.concatenate([getattr(s, field) for s in whole]), np.concatenate([getattr(s, field) for s in pieces])
        )
    a = np.concatenate([s.score for s in whole])
    b = np.concatenate([s.score for s in pieces])
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1.0, float(np.nanmax(np.abs(a)))))
    assert [exact(e) for e in all_events] == [exact(e) for e in events]
    assert any(isinstance(e, Forecast) for e in events)
    assert any(isinstance(e, AlarmChanged) for e in events)


def exact(event: Event) -> object:
    """An event with its figures to nine places."""
    return _rounded(msgspec.to_builtins(event))


def _rounded(x: object) -> object:
    if isinstance(x, float):
        return float(f"{x:.9g}")
    if isinstance(x, dict):
        return {k: _rounded(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [_rounded(v) for v in x]
    return x


def test_the_order_of_the_columns_changes_nothing() -> None:
    t_us, values = life(120)
    turned = list(reversed(SIGNALS))
    one, two = Watch(MODEL), Watch(MODEL)
    first, _ = one.feed(t_us, one.layout.arrange(SIGNALS, values))
    second, _ = two.feed(t_us, two.layout.arrange(turned, values[:, ::-1]))
    assert np.array_equal(first.score, second.score, equal_nan=True)
