"""`forewarn train`: gathers what is on record, fits in a process of its own, puts a candidate on record.

A candidate whose error on lives held out is below that of the best single number becomes a shadow at once; a hazard
one whose chances on the later part of the record are better than constant rates.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from anomaly.domain.error_events import codes_of
from anomaly.domain.layout import layout_of
from anomaly.domain.learned_states import Kind, LearnedAction
from anomaly.training.files import code_version
from anomaly.training.hazard import TooLittle
from anomaly.training.hazard_job import better_than_a_constant, enough, put_histories
from anomaly.training.histories import fleet_of, gather_histories, hash_of_histories
from anomaly.training.lives import columns_of, gather, hash_of
from anomaly.training.registry import Learned, enter, folder_of, move, next_id, one
from anomaly.training.worker import CARD, JOB, MODEL, put_job
from contracts.asset_model import AssetModel
from plumbing.runtime import Shared

ERRORS = "errors.txt"
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class CannotTrain(Exception):
    """There is too little to learn from, or the process that fits failed; one sentence."""


Tell = Callable[[str], None]
Hold = Callable[["subprocess.Popen[str]"], None]


def _let_go(_child: "subprocess.Popen[str]") -> None: ...


def train(
    shared: Shared, tenant: str, model: AssetModel, actor: str, tell: Tell, *, seed: int = 0, hold: Hold = _let_go
) -> Learned:
    """Train on all that is stored and labelled of an asset model. Raises CannotTrain, StoreUnreachable.

    `hold` is given the process that fits, to end it early.
    """
    if not layout_of(model).symptoms:
        raise CannotTrain(f"{model.name} declares no symptoms, so that no life can be learned from readings")
    lives = gather(shared.database, shared.store, tenant, model, tell)
    if not lives:
        raise CannotTrain(f"nothing is stored of machines of {model.name} in tenant {tenant}")
    at = shared.clocks.of(tenant).now()
    columns = columns_of(layout_of(model))
    about: dict[str, Any] = {
        "asset_model": model.name, "tenant": tenant, "trained_at": at.isoformat(), "data_sha256": hash_of(lives),
        "readings": columns.readings, "levels": columns.levels, "spans": columns.spans,
        "step_hours": model.prognosis.every_hours, "longest_hours": model.prognosis.longest_hours, "seed": seed,
    }  # fmt: skip
    made, facts = _made(shared, tenant, about, lambda folder: put_job(folder, lives, about), actor, tell, hold)
    error, constant = facts["metrics"]["rmse_hours"], facts["metrics"]["rmse_of_a_constant_hours"]
    if error < constant:
        why = f"its error on lives held out, {error:.3g} h, is below the {constant:.3g} h of the best single number"
        move(shared.database, tenant, made, LearnedAction.TRY, at, actor, why)
    return one(shared.database, tenant, made)


def train_hazard(
    shared: Shared, tenant: str, model: AssetModel, actor: str, tell: Tell, *, seed: int = 0, hold: Hold = _let_go
) -> Learned:
    """Train a hazard on all errors and findings of an asset model. Raises CannotTrain, StoreUnreachable."""
    if not codes_of(model):
        raise CannotTrain(f"{model.name} declares no signal of role event, so that errors cannot be learned from")
    histories = gather_histories(shared.database, shared.store, tenant, model, tell)
    if not histories:
        raise CannotTrain(f"nothing is stored of machines of {model.name} in tenant {tenant}")
    try:
        enough(histories)
    except TooLittle as no:
        raise CannotTrain(str(no)) from no
    at, fleet = shared.clocks.of(tenant).now(), fleet_of(model)
    about: dict[str, Any] = {
        "kind": Kind.EVENTS, "asset_model": model.name, "tenant": tenant, "trained_at": at.isoformat(),
        "data_sha256": hash_of_histories(histories, fleet), "components": fleet.components, "codes": fleet.codes,
        "seed": seed,
    }  # fmt: skip

    def put(folder: Path) -> None:
        listed = put_histories(folder, histories)
        (folder / JOB).write_text(json.dumps({**about, "histories": listed}))

    made, facts = _made(shared, tenant, about, put, actor, tell, hold)
    better, why = better_than_a_constant(facts["metrics"])
    if better:
        move(shared.database, tenant, made, LearnedAction.TRY, at, actor, why)
    return one(shared.database, tenant, made)


def train_all(
    shared: Shared, tenant: str, model: AssetModel, actor: str, tell: Tell, *, seed: int = 0, hold: Hold = _let_go
) -> list[Learned]:
    """All kinds of models that the record allows, at least one. Raises CannotTrain, StoreUnreachable."""
    made, lacking = [], []
    for kind in (train, train_hazard) if codes_of(model) else (train,):
        try:
            made.append(kind(shared, tenant, model, actor, tell, seed=seed, hold=hold))
        except CannotTrain as no:
            lacking.append(str(no))
    if not made:
        raise CannotTrain("; ".join(dict.fromkeys(lacking)))
    return made


def _made(
    shared: Shared, tenant: str, about: dict[str, Any], put: Callable[[Path], None], actor: str, tell: Tell, hold: Hold
) -> tuple[str, dict[str, Any]]:
    """Let a child fit what `put` writes for it, and put the candidate on record; its name, and what the child says."""
    root = folder_of(shared.home, tenant, "x").parent
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".job-", dir=root) as made:
        folder = Path(made)
        put(folder)
        facts = _fitted(folder, tell, hold)
        id = next_id(shared.database, tenant, about["asset_model"])
        keep = folder_of(shared.home, tenant, id)
        shutil.rmtree(keep, ignore_errors=True)  # left by a training that died before it was on record
        keep.mkdir()
        (folder / MODEL).rename(keep / MODEL)
        (folder / CARD).rename(keep / CARD)
    at = datetime.fromisoformat(about["trained_at"])
    enter(shared.database, tenant, id, facts, code_version(), at, actor)
    return id, facts


def _fitted(folder: Path, tell: Tell, hold: Hold) -> dict[str, Any]:
    """Let a child fit; what it says of the result. A child whose parent is gone ends with its next word."""
    command = [sys.executable, "-m", "anomaly.training.worker", str(folder)]
    with (folder / ERRORS).open("w") as errors:  # a pipe that nobody reads meanwhile would stop a child that warns much
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **THREADS}
        )  # fmt: skip
    hold(child)
    done: dict[str, Any] | None = None
    fault = ""
    assert child.stdout is not None
    try:
        for line in child.stdout:
            said = json.loads(line)
            if "text" in said:
                tell(said["text"])
            done, fault = said.get("done", done), said.get("fault", fault)
        child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if fault:
        raise CannotTrain(fault)
    if done is None:
        last = (folder / ERRORS).read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise CannotTrain(f"the process that fits ended with {child.returncode}: {last[0]}")
    return done
