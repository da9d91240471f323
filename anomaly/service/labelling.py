"""Labels: what a finding says about the readings before it, for training and for judging what was forecast."""

from datetime import timedelta

from anomaly.domain.packing import pack
from anomaly.domain.watch import Watch
from anomaly.service.port import Label, Missed
from contracts.records import Finding

MISSED_DAYS = 30
"""A breakdown that nothing had called for is looked for in the readings of so many days before it."""
MISSED = "missed"


def label_of(found: Finding) -> Label:
    """The label of a finding: of the alarm's time where one had called, of the month before a missed breakdown."""
    start = found.at if found.since is None else min(found.since, found.at)
    if found.result == MISSED:
        start = min(start, found.at - timedelta(days=MISSED_DAYS))
    return Label(
        found.tenant, found.device, found.id, found.case_id, found.asset or found.device, found.component,
        found.failure_mode, found.result, start, found.at, found.as_found, found.replaced, found.serial,
    )  # fmt: skip


def missed_of(found: Finding, watch: Watch | None) -> Missed | None:
    """A missed breakdown with the baseline that was in force, which a repair replaces; None = it was not missed."""
    if found.result != MISSED:
        return None
    learned = watch is not None and watch.detector.baseline is not None
    state = pack(watch.memory.detector) if watch is not None and learned else None
    asset = found.asset or found.device
    return Missed(
        found.tenant, found.device, found.id, asset, found.component, found.failure_mode, found.at, state
    )  # fmt: skip
