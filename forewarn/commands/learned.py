"""`forewarn train` and `forewarn learned list|show|card|promote|rollback`."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from anomaly.domain.learned_states import IllegalMove, Kind
from anomaly.training import registry
from anomaly.training.asking import DONE, FAILED, ask, training
from anomaly.training.files import BadModel
from anomaly.training.promoting import promote as promote_it
from anomaly.training.registry import Learned, NoSuchModel, NotBetter, NothingBefore
from anomaly.training.train import CannotTrain, train_all
from anomaly.training.watched import watch
from contracts.asset_model import AssetModel
from contracts.points import StoreUnreachable
from forewarn import home as homes
from forewarn.commands.devices import find_database
from forewarn.environment import Failed, WrongUse, home_of
from forewarn.product import share
from plumbing.model_files import ModelFiles
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

LOOK_S = 0.5
KINDS = {Kind.LIFE: "remaining life", Kind.EVENTS: "hazard from errors"}
ACTOR = "command line"


def train(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Train on what is stored and labelled; a running product does it itself."""
    home = home_of(environ)
    model = ModelFiles(home)(given.model)
    if model is None:
        raise WrongUse(f"model: there is no asset model {given.model!r}")
    database = find_database(environ)
    made = _there(database, given) if homes.find(home) else _here(given, environ, database, model)
    if given.json:
        print(json.dumps({**_plain(made[-1]), "beside": [_plain(x) for x in made[:-1]]}, default=_text))
        return 0
    for one in made:
        print(f"{one.id} ({KINDS[one.kind]}) is a {one.state} now: {one.why}.")
        print(f"Its card: forewarn learned card {one.id} --tenant {given.tenant} --out card.html")
    return 0


def _here(
    given: argparse.Namespace, environ: Mapping[str, str], database: Database, model: AssetModel
) -> list[Learned]:
    database.close()
    with homes.held(home_of(environ)):
        shared = share(environ, home_of(environ), SystemClock())
        try:
            return train_all(shared, given.tenant, model, ACTOR, _progress, seed=given.seed)
        except (CannotTrain, StoreUnreachable) as no:
            raise Failed(str(no)) from no
        finally:
            _progress("")
            shared.store.close()
            shared.database.close()


def _there(database: Database, given: argparse.Namespace) -> list[Learned]:
    before = {x.id for x in registry.learned(database, given.tenant, asset_model=given.model)}
    asked, told = ask(database, given.tenant, given.model, ACTOR, _now(database, given.tenant)), ""
    while True:
        now = training(database, given.tenant, asked.id)
        if now is None or now.state == FAILED:
            _progress("")
            raise Failed(now.text if now else "the training is gone")
        if now.state == DONE and now.learned:
            _progress("")
            made = registry.learned(database, given.tenant, asset_model=given.model)
            return [x for x in reversed(made) if x.id == now.learned or x.id not in before]
        if now.text != told:
            told = now.text
            _progress(told)
        time.sleep(LOOK_S)


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
    elif words:
        print(words, file=sys.stderr)


def list_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """All of a tenant, newest first."""
    found = registry.learned(find_database(environ), given.tenant, asset_model=given.model)
    if given.json:
        print(json.dumps([_plain(x) for x in found], default=_text))
        return 0
    for x in found:
        error, score = x.metrics.get("rmse_hours"), x.metrics.get("brier_7d")
        told = f", error {error:.0f} h" if error is not None else f", Brier {score:.4f}" if score is not None else ""
        what = f"{KINDS[x.kind]}, {x.lives} lives, {x.failures} failures{told}"
        print(f"{x.id:28} {x.state:9} {x.trained_at:%Y-%m-%d %H:%M}  {what}  {x.why}")
    if not found:
        print("Nothing was learned yet. Try: forewarn train MODEL")
    return 0


def show(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """One with all that became of it, and whether its files are as they were."""
    database, home = find_database(environ), home_of(environ)
    found = _one(database, given)
    fault = ""
    try:
        registry.check(home, given.tenant, found)
        registry.card_of(home, given.tenant, found)
    except BadModel as bad:
        fault = str(bad)
    became = registry.moves(database, given.tenant, found.id)
    since = watch(database, given.tenant, found, _now(database, given.tenant))
    if given.json:
        beside = {"fault": fault, "since": asdict(since), "moves": [asdict(m) for m in became]}
        print(json.dumps({**_plain(found), **beside}, default=_text))
        return 1 if fault else 0
    of = f"of {found.lives} lives with {found.failures} failures, code {found.code}"
    print(f"{found.id}: {KINDS[found.kind]}, {found.state}, {of}")
    print(f"  model  {found.sha256}\n  data   {found.data_sha256}")
    for name, value in found.metrics.items():
        print(f"  {name:26} {'–' if value is None else f'{value:.3g}'}")
    print(f"  since it speaks: {since.said} forecasts, {since.failures} failures")
    if since.precision is not None:
        print(f"  {since.precision:.0%} of {since.warnings} warnings came true (within 7 days likelier than not)")
    if since.recall is not None and since.lead_hours_p50 is not None:
        print(f"  {since.recall:.0%} of failures were warned of, {since.lead_hours_p50:.0f} h before in the middle")
    if since.expected_in_weeks > 0:
        weeks = f"{since.came_in_weeks:.0f} failures came in whole weeks, {since.expected_in_weeks:.1f} were expected"
        print(f"  {weeks}: its hazard is told times {since.correction:.2f}")
    if since.bias_hours is not None and since.coverage_90 is not None:
        inside = f"{since.coverage_90:.0%} inside its 90 % interval, which is told {since.width:.2f} times as wide"
        print(f"  {inside}; said less what came {since.bias_hours:.0f} h")
    for m in became:
        print(f"  {m.at:%Y-%m-%d %H:%M}  {m.action:8} -> {m.state:9} {m.actor}: {m.why}")
    if fault:
        raise Failed(f"it is refused: {fault}")
    return 0


def card(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Its card as a file."""
    found = _one(find_database(environ), given)
    try:
        given.out.write_text(registry.card_of(home_of(environ), given.tenant, found))
    except BadModel as bad:
        raise Failed(str(bad)) from bad
    print(given.out)
    return 0


def promote(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Make a shadow live if it was better on what happened since."""
    database = find_database(environ)
    now = _now(database, given.tenant)
    try:
        found = promote_it(database, home_of(environ), given.tenant, given.id, now, ACTOR)
    except NoSuchModel as no:
        raise WrongUse(str(no)) from no
    except (NotBetter, IllegalMove, BadModel) as no:
        raise Failed(str(no)) from no
    print(json.dumps(found.plain()) if given.json else f"{given.id} is live now: it was {found.words}.")
    return 0


def rollback(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The live one goes, the one before comes back."""
    database = find_database(environ)
    try:
        kind = Kind(given.kind) if given.kind else None
        gone, back = registry.rollback(database, given.tenant, given.model, _now(database, given.tenant), ACTOR, kind)
    except NothingBefore as no:
        raise Failed(str(no)) from no
    if given.json:
        print(json.dumps({"retired": gone, "live": back}))
    else:
        print(f"{gone} is retired; {back or 'the degradation path'} is live again.")
    return 0


def _one(database: Database, given: argparse.Namespace) -> Learned:
    try:
        return registry.one(database, given.tenant, given.id)
    except NoSuchModel as no:
        raise WrongUse(str(no)) from no


def _now(database: Database, tenant: str) -> datetime:
    return TenantClocks(database, SystemClock()).of(tenant).now()


def _plain(x: Learned) -> dict[str, Any]:
    return asdict(x)


def _text(x: object) -> str:
    return x.isoformat() if isinstance(x, datetime) else str(x)
