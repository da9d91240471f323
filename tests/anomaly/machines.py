"""A small machine of the tests: two regimes, thermal lag, starts and stops, and a part that may wear."""

import numpy as np
from numpy.typing import NDArray

from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse

HOUR_US = 3_600_000_000
START_US = 1_767_225_600_000_000
SIGNALS = ["speed", "ambient", "vibration", "temperature", "pressure"]
MODEL_TEXT = """
name: small-machine
version: 3
title: Small machine
running_when: speed > 100
regimes: [speed]
signals:
  speed: {unit: /min, range: [0, 4000], role: condition, title: Speed}
  ambient: {unit: Cel, range: [-40, 60], role: condition, title: Ambient temperature}
  vibration: {unit: mm/s, range: [0, 100], role: symptom, title: Vibration}
  temperature: {unit: Cel, range: [-40, 200], role: symptom, title: Bearing temperature}
  pressure: {unit: bar, range: [0, 40], role: symptom, title: Pressure}
components:
  bearing:
    title: Bearing
    failure_modes:
      wear:
        title: Bearing wear
        symptoms: {vibration: up, temperature: up}
        limit: {signal: vibration, value: 9, spread: 0.3}
        remedy: Replace the bearing
        skill: mechanical
        minutes: 60
        consequence: It stops.
        costs: &costs
          failure: {customer: 5000, provider: 4000}
          planned: {customer: 0, provider: 1000}
          false_visit: {customer: 0, provider: 500}
  filter:
    title: Filter
    failure_modes:
      clogged:
        title: Clogged filter
        symptoms: {pressure: down}
        limit: {signal: pressure, value: 1, spread: 0.3}
        remedy: Clean the filter
        skill: mechanical
        minutes: 30
        consequence: It delivers less.
        costs: *costs
detection: {window_samples: 12, window_hours: 2, threshold: 1.8, hold_hours: 1, hold_samples: 4,
  refractory_hours: 2, learning_hours: 30, learning_samples: 60, baseline_hours: 120}
prognosis: {every_hours: 1, history_hours: 120, shortest_hours: 5, longest_hours: 200}
"""
MODEL: AssetModel = parse(MODEL_TEXT, "small-machine.yaml")
Values = NDArray[np.float64]


def life(
    hours: float, seed: int = 1, fails_at: float | None = None, folding: float = 20.0
) -> tuple[NDArray[np.int64], Values]:
    """Rows every ten minutes from START_US; a bearing fails (9 mm/s) after `fails_at` hours where given."""
    rng = np.random.default_rng(seed)
    n = round(hours * 6)
    at = np.arange(n) / 6
    running = (at % 24) < 20
    speed = np.where((at // 8) % 2 == 0, 1450.0, 2900.0) * running
    ambient = 20 + 6 * np.sin(2 * np.pi * at / 24) + 2 * np.sin(2 * np.pi * at / 170)
    heat = np.zeros(n)
    for i in range(1, n):
        heat[i] = heat[i - 1] + 0.1 * ((ambient[i] + 0.012 * speed[i]) - heat[i - 1])
    wear = np.zeros(n) if fails_at is None else 7.0 * np.exp((at - fails_at) / folding)
    vibration = 1.2 + 0.0004 * speed + 0.02 * (ambient - 20) + wear + rng.normal(0, 0.15, n)
    temperature = 10 + heat + 2.0 * wear + rng.normal(0, 0.4, n)
    pressure = 2 + 0.001 * speed + rng.normal(0, 0.05, n)
    values = np.column_stack([speed, ambient, vibration * running, temperature, pressure * running])
    return START_US + (at * HOUR_US).astype(np.int64), values
