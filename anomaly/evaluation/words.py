"""What the figures are called, for people."""

SHARE, PERCENT, PLAIN = "share", "percent", "plain"

WORDS: dict[str, str] = {
    "rmse_capped": "Error of remaining life, capped at 125 cycles (RMSE)",
    "score_capped": "NASA score, capped at 125 cycles",
    "rmse_raw": "Error of remaining life, not capped (RMSE)",
    "score_raw": "NASA score, not capped",
    "rmse_capped_no_uptime": "Error, capped, age not used (RMSE)",
    "score_capped_no_uptime": "NASA score, capped, age not used",
    "rmse_raw_no_uptime": "Error, not capped, age not used (RMSE)",
    "score_raw_no_uptime": "NASA score, not capped, age not used",
    "coverage_90": "Lives inside their 90 % interval",
    "half_width_mean": "Mean half width of that interval, cycles",
    "warn30_precision": "Warnings at 30 cycles that were right",
    "warn30_recall": "Last 30 cycles that were warned of",
    "cv_rmse": "Error on training engines, by engine (RMSE)",
    "cv_rmse_no_uptime": "Error on training engines, by engine, age not used (RMSE)",
    "f1": "F1",
    "far": "False alarm rate, %",
    "mar": "Missed alarm rate, %",
    "precision": "Alarms that were right",
    "recall": "Failures that were found",
    "events": "Events",
    "events_found": "Events found",
    "false_runs": "False alarms (runs)",
    "median_delay_s": "Median delay, s",
    "alarm_share_fault_free": "Share of time in alarm without any fault",
    "changepoint_standard": "Change points, NAB score, standard",
    "changepoint_low_fp": "Change points, NAB score, few false alarms",
    "standard": "NAB score, standard profile",
    "low_fp": "NAB score, few false alarms",
    "low_fn": "NAB score, few misses",
    "machine_temperature_hits": "Machine temperature: windows hit",
    "machine_temperature_false_per_month": "Machine temperature: false alarms a month",
    "event_recall": "Failures that were announced",
    "order_precision": "Work orders that were right",
    "false_orders_per_asset_month": "False work orders per machine and month",
    "lead_hours_p10": "Notice, hours, 10 % had less",
    "lead_hours_p50": "Notice, hours, median",
    "lead_hours_p90": "Notice, hours, 10 % had more",
    "brier_24h": "Brier score of P(failure within 24 h)",
    "ece_24h": "Calibration error of P(failure within 24 h)",
    "failed": "Bearings that failed",
    "failed_warned_24h": "of these warned 24 h or more ahead",
    "healthy_false_alarms": "Healthy bearings in alarm long before the end",
    "lead_hours_min": "Shortest notice, hours",
    **{
        f"cost_saved_vs_{what}_{ratio}": f"Cost saved against {name}, breakdown {ratio} x a planned job"
        for what, name in (("run_to_failure", "run to failure"), ("fixed_interval", "the best fixed interval"))
        for ratio in (5, 10, 20)
    },
}
"""What each figure is, for a person who knows machines."""


def called(name: str) -> str:
    """The figure's name for people."""
    return WORDS.get(name, name.replace("_", " "))


def number(value: float | None) -> str:
    """A value as people read it; a dash = cannot be computed."""
    if value is None or value != value:
        return "–"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 1000
        else f"{value:.1f}"
        if size >= 100
        else f"{value:.2f}"
        if size >= 1
        else f"{value:.3f}"
    )
