"""Proof on one's own past: files in, what their columns mean is shown and corrected, the page for the boss comes out.

The mapping is kept as asset model and driver file, so that the trial becomes the installation.
"""

from dataclasses import replace
from shutil import copyfileobj
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from anomaly.evaluation.own_mapping import ROLES, SignalColumn
from anomaly.evaluation.own_mapping import Columns as EventColumns
from anomaly.evaluation.own_model import plain
from anomaly.evaluation.proof_names import (
    DRIVER,
    ERRORS,
    FAILURES,
    FIGURES,
    LOOK,
    MAPPING,
    MODEL,
    PAGE,
    RUN,
    TELEMETRY,
    WORK,
)
from api.guard import Who
from api.problems import Problem, bad_field, not_found
from api.shield import MAX_PROOF_BYTES
from api.trials import BUSY, Trial, Trials
from api.web import Web, back_to

LONGEST_NOTICE_DAYS = 365.0
CONTENT = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " sandbox"
)
"""The page stands alone and has no script: nothing else is allowed in it."""
FILES = {
    "page": (PAGE, "text/html"), "model": (MODEL, "application/yaml"), "agent": (DRIVER, "application/toml"),
    "mapping": (MAPPING, "application/yaml"), "figures": (FIGURES, "application/json"),
}  # fmt: skip
EVENTS = {
    "failures": ("Failures", ("time", "asset", "component", "hours")),
    "work": ("Visits and replacements", ("time", "asset", "component", "hours")),
    "events": ("Errors and warnings", ("time", "asset", "code")),
}
"""Files of events and which of their columns are asked for."""

Price = Annotated[float, Form(gt=0, le=1e12, allow_inf_nan=False)]
Text = Annotated[str, Form(max_length=200)]
Texts = Annotated[list[str], Form()]
Events = Annotated[list[str] | None, Form()]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    trials = Trials()

    def mine(who: Who, trial: str) -> Trial:
        found = trials.of(who, trial, web.wall())
        if found is None:
            raise not_found("trial")
        return found

    def empty(request: Request, status: int = 200, fault: str = "") -> Response:
        return web.page(request, "prove.html", status, fault=fault, megabytes=MAX_PROOF_BYTES // 1_000_000)

    def preview(request: Request, trial: Trial, status: int = 200, fault: str = "") -> Response:
        return web.page(
            request, "proving.html", status, fault=fault, trial=trial, mapping=trial.mapping, preview=trial.preview,
            asked=trial.asked, answer=trial.answer, known_roles=ROLES, events=EVENTS,
        )  # fmt: skip

    @router.get("/prove", include_in_schema=False)
    def form(request: Request, who: Who) -> Response:
        return empty(request)

    @router.post("/prove", include_in_schema=False)
    def begin(
        request: Request,
        who: Who,
        telemetry: Annotated[UploadFile, File()],
        failures: Annotated[UploadFile, File()],
        work: Annotated[UploadFile | None, File()] = None,
        events: Annotated[UploadFile | None, File()] = None,
        mapping: Annotated[UploadFile | None, File()] = None,
        cost_failure: Price = 10.0,
        cost_planned: Price = 1.0,
        cost_false: Price = 1.0,
        within: Annotated[float, Form(gt=0, le=LONGEST_NOTICE_DAYS)] = 14.0,
    ) -> Response:
        asked = _asked("own-machines", cost_failure, cost_planned, cost_false, within)
        trial = trials.begin(who, web.wall())
        files = {TELEMETRY: telemetry, FAILURES: failures, WORK: work, ERRORS: events, MAPPING: mapping}
        for name, given in files.items():
            if given is not None and given.filename:
                with (trial.folder / name).open("wb") as out:
                    copyfileobj(given.file, out)
        trial.ask(asked)
        fault = trials.work(trial, LOOK)
        if fault:
            trials.drop(trial)
            return empty(request, 409 if fault == BUSY else 422, fault)
        return back_to(f"/prove/{trial.id}")

    @router.get("/prove/{trial}", include_in_schema=False)
    def look(request: Request, who: Who, trial: str) -> Response:
        return preview(request, mine(who, trial))

    @router.post("/prove/{trial}", include_in_schema=False)
    def prove(
        request: Request,
        who: Who,
        trial: str,
        time: Text,
        column: Texts,
        name: Texts,
        unit: Texts,
        role: Texts,
        asset: Text = "",
        failures: Events = None,
        work: Events = None,
        events: Events = None,
        called: Annotated[str, Form(min_length=1, max_length=64)] = "own-machines",
        cost_failure: Price = 10.0,
        cost_planned: Price = 1.0,
        cost_false: Price = 1.0,
        within: Annotated[float, Form(gt=0, le=LONGEST_NOTICE_DAYS)] = 14.0,
    ) -> Response:
        found = mine(who, trial)
        if not len(column) == len(name) == len(unit) == len(role):
            raise bad_field("column", len(column), "there must be as many names, units and roles")
        signals = tuple(SignalColumn(*s) for s in zip(column, name, unit, role, strict=True))
        old = found.mapping
        found.correct(
            replace(
                old, time=time, asset=asset, signals=signals, failures=_events(failures) or old.failures,
                work=_events(work) or old.work, errors=_events(events) or old.errors,
            )
        )  # fmt: skip
        found.ask(_asked(plain(called), cost_failure, cost_planned, cost_false, within))
        fault = trials.work(found, RUN)
        if fault:
            return preview(request, found, 409 if fault == BUSY else 422, fault)
        return back_to(f"/prove/{trial}#answer")

    @router.post("/prove/{trial}/drop", include_in_schema=False)
    def drop(who: Who, trial: str) -> Response:
        trials.drop(mine(who, trial))
        return back_to("/prove")

    @router.get("/prove/{trial}/{file}", include_in_schema=False)
    def made(who: Who, trial: str, file: str) -> Response:
        found = mine(who, trial)
        name, kind = FILES.get(file, ("", ""))
        path = found.folder / name
        if not name or not path.is_file():
            raise not_found("file")
        if file == "page":
            return FileResponse(path, media_type=kind, headers={"Content-Security-Policy": CONTENT})
        shown = f"{found.asked['name']}.yaml" if file == "model" else name
        return FileResponse(path, media_type=kind, filename=shown)


def _asked(name: str, failure: float, planned: float, false_visit: float, within: float) -> dict[str, object]:
    if failure <= planned:
        raise Problem(422, "cost_failure: must be more than a planned visit", field="cost_failure", value=failure,
                      rule="must be more than a planned visit")  # fmt: skip
    return {"name": name, "failure": failure, "planned": planned, "false_visit": false_visit, "within": within}


def _events(columns: list[str] | None) -> EventColumns | None:
    return EventColumns(*columns) if columns and 3 <= len(columns) <= 4 else None
