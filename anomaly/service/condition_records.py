"""From what a watch says about sensors, quiet days and baselines to what is written, with a sentence for people."""

from datetime import datetime

import msgspec

from anomaly.domain.packing import pack
from anomaly.domain.quiet import QuietDay, date_of, reason
from anomaly.domain.sensor_faults import KINDS, SAYS, SensorChanged, sentence
from anomaly.domain.watch import Watch
from anomaly.service.port import BaselineLearned, QuietEntry, SensorNote, Told
from contracts.asset_model import AssetModel

SAYS_OF = {KINDS[fault]: says for fault, says in SAYS.items()}


def titles_of(model: AssetModel) -> dict[str, str]:
    """What the signals of a model are called."""
    return {name: signal.title for name, signal in model.signals.items()}


def sensor_note(tenant: str, device: str, model: AssetModel, event: SensorChanged, history: bool) -> SensorNote:
    """What is written of a sensor that changed."""
    title = model.signals[event.signal].title if event.signal in model.signals else "The device"
    text = sentence(title, event.fault, event.detail)
    return SensorNote(
        tenant, device, event.signal, event.kind, event.since_us, event.at_us, event.faulty, text, history
    )  # fmt: skip


def sensor_told(now: datetime, note: SensorNote) -> Told:
    """The audit entry of a sensor that changed."""
    what = (note.signal or "device").replace("_", " ")
    text = f"{note.device}: {note.text}." if note.faulty else f"{note.device}: the sensor of {what} is well again."
    diff = {"asset": note.device, "id": note.id, "signal": note.signal, "kind": note.kind, "text": text}
    return Told(note.tenant, now, "sensor_faulty" if note.faulty else "sensor_well", diff)


def quiet_entry(tenant: str, device: str, model: AssetModel, event: QuietDay) -> QuietEntry:
    """The entry of a quiet day; its text follows from its figures."""
    day = event.day
    text = reason(day, model.detection, titles_of(model), SAYS_OF)
    return QuietEntry(tenant, device, date_of(day.day), text, msgspec.to_builtins(day))


def baseline_of(watch: Watch) -> BaselineLearned | None:
    """The baseline in force; None while there is none or a part of it is learned anew."""
    base, m = watch.detector.baseline, watch.memory
    if base is None or m.detector.relearn:
        return None
    return BaselineLearned(m.epoch, m.epoch_why, m.newest_us, pack(base))
