"""The small machine under each kind of settings: every detector, adaptation, a growing baseline, fast rows."""

from dataclasses import replace

from tests.anomaly.machines import MODEL

VARIANTS = {
    "plain": replace(MODEL, detection=replace(MODEL.detection, baseline_hours=0.0)),
    "adapting": replace(MODEL, detection=replace(MODEL.detection, adapt_hours=200.0, adapt_samples=50.0)),
    "two means": replace(
        MODEL, detection=replace(MODEL.detection, adapt_samples=600.0, quick_samples=60.0, adapt_below=0.7)
    ),
    "growing": MODEL,
    "averaging": replace(MODEL, detection=replace(MODEL.detection, window_hours=6.0, window_samples=12)),
    "summed": replace(MODEL, detection=replace(MODEL.detection, methods=("cusum", "limits"))),
    "seasonal": replace(
        MODEL, detection=replace(MODEL.detection, methods=("seasonal", "limits"), hold_hours=0.0, hold_samples=1)
    ),
    "uncompensated": replace(MODEL, detection=replace(MODEL.detection, compensate=False)),
}
