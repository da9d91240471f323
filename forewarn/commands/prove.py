"""`forewarn prove`: what the product would have done on somebody's own past."""

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from anomaly.evaluation.files import BadData
from anomaly.evaluation.own_data import Given, OwnData, guess_mapping, read_own, sheet, telemetry_files, with_events
from anomaly.evaluation.own_mapping import as_yaml, read_mapping
from anomaly.evaluation.own_model import driver_text, plain
from anomaly.evaluation.proof_job import check_units
from anomaly.evaluation.proof_page import WORDS, page
from anomaly.evaluation.proof_report import figures, report, sentence
from anomaly.evaluation.prove import Prices, Proof, Wanted, moment
from anomaly.evaluation.prove import prove as run
from anomaly.evaluation.words import called, number
from contracts.asset_model import AssetModel
from contracts.asset_model_text import BadAssetModel, parse
from forewarn.environment import Failed, WrongUse, home_of
from plumbing.model_files import ModelFiles
from plumbing.ucum import UcumUnits

WIDTH = 56


def prove(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Map the columns, learn from the first part, judge the second, keep what the installation needs.

    Raises WrongUse, Failed.
    """
    try:
        sheets = [sheet(path, _say) for path in telemetry_files(given.telemetry)]
        failures = sheet(given.failures)
        work, errors = (sheet(path) if path is not None else None for path in (given.work, given.events))
        files = Given(sheets, failures, work, errors)
        keep: Path = given.keep
        where: Path = given.mapping or keep / "mapping.yaml"
        if where.exists():
            mapping = with_events(files, read_mapping(where))
            _say(f"the columns' meaning is read from {where}")
        else:
            mapping = guess_mapping(files)
            _write(where, as_yaml(mapping))
            _say(f"the columns' meaning was guessed; correct it in {where} and run the same command again")
        check_units(mapping, where)
        data = read_own(files, mapping)
        _preview(data)
        proof = run(data, _wanted(given, environ), _progress)
    except BadData as bad:
        raise Failed(str(bad)) from bad
    _print(proof)
    if given.json is not None:
        _write(given.json, report(proof).as_json().decode())
    if given.html is not None:
        _write(given.html, page(proof))
    _keep(keep, proof, given.telemetry, environ)
    return 0


def _wanted(given: argparse.Namespace, environ: Mapping[str, str]) -> Wanted:
    model = _model(given.model, environ) if given.model else None
    asked = (given.cost_failure, given.cost_planned, given.cost_false)
    prices = Prices()
    if model is not None:
        modes = [mode for component in model.components.values() for mode in component.modes]
        if modes:
            failure, planned, false_visit = (
                sum(getattr(mode, kind).total for mode in modes) / len(modes)
                for kind in ("failure", "planned", "false_visit")
            )
            prices = Prices(failure, planned, false_visit, model.currency)
    if any(value is not None for value in asked):
        failure, planned, false_visit = asked
        prices = Prices(
            prices.failure if failure is None else failure,
            prices.planned if planned is None else planned,
            prices.false_visit if false_visit is None else false_visit,
            prices.unit if model is not None else "in your currency",
        )
    if prices.failure <= prices.planned:
        raise WrongUse(f"--cost-failure: {prices.failure:g} must be more than a planned visit, {prices.planned:g}")
    split = None
    if given.split is not None:
        try:
            split = round(datetime.fromisoformat(given.split).replace(tzinfo=UTC).timestamp() * 1e6)
        except ValueError as wrong:
            raise WrongUse(f"--split: {given.split!r} must be a day, YYYY-MM-DD") from wrong
    return Wanted(plain(given.name), model, prices, split, given.within)


def _model(name: str, environ: Mapping[str, str]) -> AssetModel:
    path = Path(name)
    try:
        if path.suffix in (".yaml", ".yml"):
            units = UcumUnits()
            return parse(path.read_text("utf-8"), str(path), lambda code: units.resolve(code) is not None)
        found = ModelFiles(home_of(environ))(name)
    except BadAssetModel as bad:
        raise Failed(str(bad)) from bad
    except (OSError, UnicodeDecodeError) as failure:
        raise Failed(f"{path}: cannot be read: {failure}") from failure
    if found is None:
        raise Failed(f"--model {name!r}: no asset model of that name, and no file that ends in .yaml")
    return found


def _preview(data: OwnData) -> None:
    mapping = data.mapping
    rows = sum(len(m.at_us) for m in data.machines)
    print(f"{_some(len(data.machines), 'machine')}, {rows:,} rows; time = {mapping.time!r},"
          f" machine = {mapping.asset or 'name of the file'!r}")  # fmt: skip
    print(f"  {'column':<28} {'signal':<24} {'unit':<10} role")
    for s in mapping.signals:
        print(f"  {s.column:<28} {s.name:<24} {s.unit:<10} {s.role}")
    logged = f", {_some(len(data.errors), 'event')}" if data.errors else ""
    print(f"{_some(len(data.failures), 'failure')}, {_some(len(data.work), 'visit')}{logged}")


def _print(proof: Proof) -> None:
    print()
    print(sentence(proof))
    bounds = report(proof).ci95
    for name, value in figures(proof).items():
        if value is None:
            continue
        ends = bounds.get(name)
        between = f"  ({number(ends[0])} to {number(ends[1])})" if ends else ""
        print(f"  {WORDS.get(name, called(name)):<{WIDTH}} {number(value):>10}{between}")
    for verdict in proof.verdicts:
        j = verdict.judged
        if j.failures or j.false:
            notice = ", ".join(f"{lead:.0f} h" for lead in j.leads)
            print(f"  machine {j.asset}: {len(j.leads)} of {j.failures} announced{f' ({notice})' if notice else ''},"
                  f" {j.false} for nothing")  # fmt: skip
        for report_of in verdict.misses.values():
            print(f"    missed: {report_of}")
        for fault in verdict.course.faults:
            until = f"until {moment(fault.until_us)}" if fault.until_us is not None else "to the end"
            print(f"    sensor {fault.signal}: {fault.says}, from {moment(fault.since_us)} {until}")
    for notice in proof.notices:
        print(f"notice: {notice}", file=sys.stderr)


def _keep(keep: Path, proof: Proof, telemetry: Path, environ: Mapping[str, str]) -> None:
    """Write what the installation needs and say how to install it."""
    driver = keep / "agent.toml"
    first = telemetry_files(telemetry)[0].resolve()
    _write(driver, driver_text(proof.data, first))
    installed = home_of(environ) / "asset_models"
    if proof.model_yaml is not None:
        model = keep / f"{proof.model.name}.yaml"
        _write(model, proof.model_yaml)
        print(f"\nTo go on with it:\n  install -D {model} {installed / model.name}")
    else:
        print(f"\nTo go on with it (model {proof.model.name} is there already):")
    print(f"  forewarn run agent --config {driver}")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise Failed(f"{path}: cannot be written: {failure.strerror or failure}") from failure


def _some(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _say(words: str) -> None:
    print(words, file=sys.stderr)


def _progress(done: int, total: int, what: str) -> None:
    ending = "\n" if done >= total or not sys.stderr.isatty() else ""
    begin = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{begin}{done} of {total}: {what}", end=ending, file=sys.stderr, flush=True)
