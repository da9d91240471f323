"""`forewarn decisions replay`: what was logged must lead to what was stored. Reads the database itself."""

import argparse
import json
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from forewarn.environment import Failed, home_of
from forewarn.product import open_database
from work_orders.queries.replaying import replay as replayed
from work_orders.service.tables import decisions


def replay(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Replay the log; exit 1 when a decision comes out differently."""
    home = home_of(environ)
    if not environ.get("FOREWARN_DATABASE_URL") and not (home / "forewarn.sqlite").exists():
        raise Failed(f"{home} holds no database yet")
    database = open_database(environ, home)
    try:
        with database.read() as connection:
            kept = connection.execute(sa.select(decisions.c.tenant).distinct().order_by(decisions.c.tenant)).scalars()
            tenants = [given.tenant] if given.tenant else list(kept)
            found = {t: replayed(connection, t, case_id=given.case) for t in tenants}
    except SQLAlchemyError as failure:
        said = str(failure).splitlines()[0]
        raise Failed(f"the database cannot be read: {said} (is it of this version? see: forewarn migrate)") from failure
    count, same = sum(r.decisions for r in found.values()), sum(r.same for r in found.values())
    differing = [(t, d) for t, r in found.items() for d in r.differing]
    if given.json:
        rows = [
            {"tenant": t, "prediction": d.prediction_id, "case": d.case_id, "at": d.at.isoformat(),
             "only_words": not d.weighs, "stored": d.stored.sentence, "again": d.again.sentence}
            for t, d in differing
        ]  # fmt: skip
        print(json.dumps({"ok": count == same, "decisions": count, "same": same, "differing": rows}))
    else:
        print(f"{same} of {count} decisions come out as they were stored.")
        for t, d in differing:
            what = "other words" if not d.weighs else "another decision"
            print(f"{t} {d.prediction_id} ({d.at.isoformat()}): {what}")
            print(f"  stored: {d.stored.sentence}\n  again:  {d.again.sentence}")
    return 0 if count == same else 1
