"""Promotion: a shadow becomes live only if it was better on what happened since, and its files are as they were."""

from datetime import datetime
from pathlib import Path

from anomaly.domain.learned_states import Kind, LearnedAction, LearnedState, step
from anomaly.training.comparing import Comparison, compare
from anomaly.training.comparing_hazards import compare_hazards
from anomaly.training.registry import NotBetter, check, learned, move, one
from plumbing.sql import Database


def promote(database: Database, home: Path, tenant: str, id: str, now: datetime, actor: str) -> Comparison:
    """Make a shadow live; the comparison is kept with the move.

    Raises NoSuchModel, IllegalMove, NotBetter, BadModel.
    """
    found = one(database, tenant, id)
    step(found.state, LearnedAction.PROMOTE)
    check(home, tenant, found)
    live = learned(database, tenant, asset_model=found.asset_model, states=(LearnedState.LIVE,), kind=found.kind)
    held = (compare_hazards if found.kind is Kind.EVENTS else compare)(
        database, tenant, found, live[0] if live else None, now
    )
    if not held.better:
        raise NotBetter(f"{id} stays a shadow: {held.words}", held.plain())
    move(database, tenant, id, LearnedAction.PROMOTE, now, actor, held.words, held.plain())
    return held
