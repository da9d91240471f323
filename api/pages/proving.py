"""Proof on one's own past: upload readings and failures, get the page for the boss; nothing is kept."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from anomaly.evaluation.proof_job import ASKED, FAILURES, MAPPING, PAGE, TELEMETRY, WORK
from api.guard import Who
from api.problems import Problem
from api.shield import MAX_PROOF_BYTES
from api.web import Web

LONGEST_S = 600
LONGEST_NOTICE_DAYS = 365.0
CONTENT = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " sandbox"
)
"""The page stands alone and has no script: nothing else is allowed in it."""
_one_at_a_time = threading.Lock()

Price = Annotated[float, Form(gt=0, le=1e12, allow_inf_nan=False)]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""

    @router.get("/prove", include_in_schema=False)
    def form(request: Request, who: Who) -> Response:
        return web.page(request, "prove.html", fault="", megabytes=MAX_PROOF_BYTES // 1_000_000)

    @router.post("/prove", include_in_schema=False)
    def prove(
        request: Request,
        who: Who,
        telemetry: Annotated[UploadFile, File()],
        failures: Annotated[UploadFile, File()],
        work: Annotated[UploadFile | None, File()] = None,
        mapping: Annotated[UploadFile | None, File()] = None,
        cost_failure: Price = 10.0,
        cost_planned: Price = 1.0,
        cost_false: Price = 1.0,
        within: Annotated[float, Form(gt=0, le=LONGEST_NOTICE_DAYS)] = 14.0,
    ) -> Response:
        asked = {"failure": cost_failure, "planned": cost_planned, "false_visit": cost_false, "within": within}
        files = {TELEMETRY: telemetry, FAILURES: failures, WORK: work, MAPPING: mapping}
        if cost_failure <= cost_planned:
            raise Problem(422, "cost_failure: must be more than a planned visit", field="cost_failure",
                          value=cost_failure, rule="must be more than a planned visit")  # fmt: skip
        if not _one_at_a_time.acquire(blocking=False):
            raise Problem(409, "Another proof is being worked out. Try again in a few minutes.")
        try:
            made, fault = _prove(files, asked)
        finally:
            _one_at_a_time.release()
        if fault:
            megabytes = MAX_PROOF_BYTES // 1_000_000
            return web.page(request, "prove.html", 422, fault=fault, megabytes=megabytes)
        return HTMLResponse(made, headers={"Content-Security-Policy": CONTENT})


def _prove(files: dict[str, UploadFile | None], asked: dict[str, float]) -> tuple[str, str]:
    """The page, or what is wrong; in a process of its own, so that nobody else waits for it."""
    with TemporaryDirectory(prefix="forewarn-proof-") as name:
        folder = Path(name)
        for file, given in files.items():
            if given is not None and given.filename:
                with (folder / file).open("wb") as out:
                    copyfileobj(given.file, out)
        (folder / ASKED).write_text(json.dumps(asked), encoding="utf-8")
        try:
            done = subprocess.run(
                [sys.executable, "-m", "anomaly.evaluation.proof_job", name], capture_output=True, text=True,
                timeout=LONGEST_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "", "This takes too long here. Use `forewarn prove` on the command line, or give fewer readings."
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            return "", said[-1] if said and done.returncode == 1 else "The proof could not be worked out."
        return (folder / PAGE).read_text("utf-8"), ""
