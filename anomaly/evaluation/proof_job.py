"""A proof in a process of its own, for the page: `python -m anomaly.evaluation.proof_job FOLDER`.

The folder holds telemetry.csv, failures.csv and, if given, work.csv, events.csv, mapping.yaml, and asked.json with
name, prices and days. `look` guesses what the columns mean and leaves mapping.yaml and preview.json there; `run` leaves
the page, the figures, the asset model and the driver file. The process ends with 0, or says one sentence on stderr and
ends with 1.
"""

import json
import sys
from pathlib import Path

from anomaly.evaluation.files import BadData
from anomaly.evaluation.own_data import Given, guess_mapping, read_own, sheet, with_events
from anomaly.evaluation.own_mapping import Mapping, as_yaml, read_mapping
from anomaly.evaluation.own_model import driver_text
from anomaly.evaluation.proof_names import (
    ASKED,
    DRIVER,
    ERRORS,
    FAILURES,
    FIGURES,
    LOOK,
    MAPPING,
    MODEL,
    PAGE,
    PREVIEW,
    RUN,
    TELEMETRY,
    WORK,
)
from anomaly.evaluation.proof_page import page
from anomaly.evaluation.proof_report import report
from anomaly.evaluation.prove import Prices, Wanted, prove
from anomaly.evaluation.report import silent
from plumbing.ucum import UcumUnits

DONE, FAILED = 0, 1
EXAMPLES = 3


def given_in(folder: Path) -> Given:
    """The files that were given. Raises BadData."""
    work, errors = (sheet(folder / name) if (folder / name).exists() else None for name in (WORK, ERRORS))
    return Given([sheet(folder / TELEMETRY)], sheet(folder / FAILURES), work, errors)


def look(folder: Path) -> None:
    """Guess what the columns mean, and show what is in them. Raises BadData."""
    given = given_in(folder)
    file = folder / MAPPING
    mapping = with_events(given, read_mapping(file)) if file.exists() else guess_mapping(given)
    file.write_text(as_yaml(mapping), encoding="utf-8")
    readings = given.telemetry[0]
    sheets = {"failures": given.failures, "work": given.work, "events": given.errors}
    preview = {
        "rows": len(readings.rows),
        "header": readings.header,
        "examples": {name: _examples(readings.column(name)) for name in readings.header if name},
        "files": {name: {"header": s.header, "rows": len(s.rows)} for name, s in sheets.items() if s is not None},
    }
    (folder / PREVIEW).write_text(json.dumps(preview), encoding="utf-8")


def _examples(cells: list[str]) -> list[str]:
    return [cell[:20] for cell in cells if cell][:EXAMPLES]


def run(folder: Path) -> None:
    """Do what the folder asks for. Raises BadData."""
    asked = json.loads((folder / ASKED).read_text("utf-8"))
    given = given_in(folder)
    file = folder / MAPPING
    mapping = with_events(given, read_mapping(file)) if file.exists() else guess_mapping(given)
    check_units(mapping, file)
    data = read_own(given, mapping)
    prices = Prices(asked["failure"], asked["planned"], asked["false_visit"], "in your currency")
    proof = prove(data, Wanted(asked["name"], None, prices, None, asked["within"]), silent)
    made = {
        PAGE: page(proof), FIGURES: report(proof).as_json().decode(), MODEL: proof.model_yaml or "",
        DRIVER: driver_text(data, Path(TELEMETRY)), MAPPING: as_yaml(mapping),
    }  # fmt: skip
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


def check_units(mapping: Mapping, file: Path) -> None:
    """Raises BadData that names the first unit that is none."""
    units = UcumUnits()
    for signal in mapping.used:
        if units.resolve(signal.unit) is None:
            raise BadData(f"{file}: telemetry.signals.{signal.column}.unit: {signal.unit!r} is no UCUM code")


def main(arguments: list[str]) -> int:
    """Run in the folder that is named; faults are told without the folder, which the person never saw."""
    what, name = arguments
    folder = Path(name)
    try:
        {LOOK: look, RUN: run}[what](folder)
    except BadData as bad:
        print(str(bad).replace(f"{folder}/", ""), file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
