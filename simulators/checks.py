"""What a simulated pump answers to the checks of a guided diagnosis, by its physics.

A worn bearing strikes once a ball passes the damage. Each stroke rings the housing for a moment: the waveform of the
acceleration is noise with a ringing every 1/BPFO, the louder the more is broken out of the raceway. The line at the
stroke's frequency in the spectrum of the envelope is what tells wear from mere roughness.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.duty import stream
from simulators.pump_physics import Pump, damage
from simulators.wear import Event

RATE_HZ, MOST_SECONDS = 12_800, 2.0
STROKES_A_TURN = 3.06
"""Ball pass frequency of the outer race of a deep groove ball bearing 6312 (8 balls of 22 mm on a pitch of 95 mm), in
turns of the shaft: n/2 (1 - d/D) with no contact angle."""
RING_HZ, RING_S = 3200.0, 0.0015
STROKE = 20.0
"""Height of a stroke in sigmas of the noise when the bearing has failed: far above the fivefold RMS velocity, since the
strokes ring at high frequencies, where there is little else."""
DAY_SLOTS = 144


def waveform(pump: Pump, slot: int, events: tuple[Event, ...], seconds: float) -> tuple[NDArray[np.float64], float]:
    """Acceleration of the bearing housing in sigmas of its healthy noise, and the frequency of the strokes in Hz."""
    n = round(RATE_HZ * min(seconds, MOST_SECONDS))
    dice = stream(pump.seed, pump.machine, "noise", slot, 1, 1)
    speed = pump.sample(slot, events)["speed"]
    day, row = divmod(slot, DAY_SLOTS)
    worn = float(damage(pump, "bearing", day, events)[row])
    signal = dice.standard_normal(n)
    strokes = STROKES_A_TURN * speed / 60.0
    if speed > 0:
        ring_t = np.arange(round(6 * RING_S * RATE_HZ)) / RATE_HZ
        ring = np.exp(-ring_t / RING_S) * np.sin(2 * math.pi * RING_HZ * ring_t)
        at = 0.0
        while True:
            at += (1.0 + 0.01 * dice.standard_normal()) / strokes  # the balls slip a little
            begin = round(at * RATE_HZ)
            if begin + len(ring) > n:
                break
            signal[begin : begin + len(ring)] += STROKE * min(worn, 1.5) * ring
    return signal, strokes


def vibration_waveform(pump: Pump, slot: int, events: tuple[Event, ...], seconds: float) -> dict[str, Any]:
    """Crest factor, kurtosis, and the bearing's line in the envelope over its background; None while it stands."""
    signal, strokes = waveform(pump, slot, events, seconds)
    if strokes <= 0:
        return {"bearing_line": None, "standing": True}
    square = float(np.mean(signal**2))
    return {
        "bearing_line": round(_line(signal, strokes), 2), "bearing_hz": round(strokes, 2),
        "crest": round(float(np.max(np.abs(signal))) / math.sqrt(square), 2),
        "kurtosis": round(float(np.mean(signal**4)) / square**2, 2),
    }  # fmt: skip


def _line(signal: NDArray[np.float64], strokes: float) -> float:
    """Height of the line at the strokes' frequency over the median of those from half to one and a half of it."""
    n = len(signal)
    spectrum = np.fft.fft(signal)
    hz = np.fft.fftfreq(n, 1 / RATE_HZ)
    band = (hz > 0.6 * RING_HZ) & (hz < 1.4 * RING_HZ)
    envelope = np.abs(np.fft.ifft(np.where(band, 2 * spectrum, 0)))  # of the analytic signal of the ringing's band
    lines = np.abs(np.fft.rfft(envelope - envelope.mean()))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    near = np.abs(hz - strokes) <= max(1.5, 0.02 * strokes)
    around = (hz > 0.5 * strokes) & (hz < 1.5 * strokes) & ~near
    return float(lines[near].max() / np.median(lines[around]))
