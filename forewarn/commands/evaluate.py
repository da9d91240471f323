"""`forewarn evaluate`: a public data set through the live code."""

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from anomaly.evaluation.files import BadData
from anomaly.evaluation.html import page
from anomaly.evaluation.perturbing import CHANGES
from anomaly.evaluation.report import Options, Progress, Report
from anomaly.evaluation.words import called, number
from forewarn.environment import Failed, WrongUse

WIDTH = 64


def evaluate(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Score one set and print every figure with its interval. Raises WrongUse, Failed."""
    data: Path = given.data
    if not data.is_dir():
        raise WrongUse(f"--data: {str(data)!r} must be a folder")
    run: Callable[[Path, str | None, Options, Progress], Report]
    run = importlib.import_module(f"anomaly.evaluation.{given.set}").evaluate
    options = Options(train=given.train, seeds=given.seeds)
    try:
        report = run(data, given.subset, options, _progress)
        if given.perturb:
            report = replace(report, perturbed=_perturbed(run, data, given.subset, options))
    except BadData as bad:
        raise Failed(str(bad)) from bad
    _print(report)
    if given.json is not None:
        given.json.write_bytes(report.as_json())
    if given.html is not None:
        given.html.write_text(page(report), encoding="utf-8")
    return 0


def _perturbed(
    run: Callable[[Path, str | None, Options, Progress], Report], data: Path, subset: str | None, options: Options
) -> dict[str, Mapping[str, float | None]]:
    out = {}
    for name in CHANGES:
        print(f"once more: {name}", file=sys.stderr, flush=True)
        out[name] = run(data, subset, replace(options, perturb=name), _progress).figures
    return out


def _progress(done: int, total: int, what: str) -> None:
    ending = "\n" if done >= total or not sys.stderr.isatty() else ""
    begin = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{begin}{done} of {total}: {what}", end=ending, file=sys.stderr, flush=True)


def _print(report: Report) -> None:
    print(f"{report.dataset} {report.subset}".strip())
    for name, value in report.figures.items():
        bounds = report.ci95.get(name)
        between = f"  ({number(bounds[0])} to {number(bounds[1])})" if bounds else ""
        print(f"  {called(name):<{WIDTH}} {number(value):>10}{between}")
        for change, figures in report.perturbed.items():
            print(f"    {change:<{WIDTH - 2}} {number(figures.get(name)):>10}  {_loss(value, figures.get(name))}")


def _loss(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    return f"{after - before:+.3g}"
