"""Data that is not live: a machine's history from a file, recorded machines replayed, and how far the services are."""

import re
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

import work_orders.service.installed_base as base
from api import service as identity
from api.guard import Who
from api.json.answers import answer
from api.json.headers import Match
from api.owners.versions import CLOCK, expect
from api.problems import Problem, bad_field, not_found
from api.roles import Role
from api.web import Web
from contracts.points import StoreUnreachable
from contracts.records import BLOCKS, PREDICTIONS
from ingest.adapters.history_file import BadHistoryFile, import_file
from ingest.service.history import SourceBusy
from ingest.service.registry import RegistryFault, UnknownDevice, add_device
from plumbing import log
from work_orders.domain.decision import Autonomy
from work_orders.domain.policy import Policy

MAX_FILE_BYTES = 2_000_000_000
ENDINGS = (".csv", ".xz", ".gz")
REPLAY_BEGINS = datetime(2000, 1, 2, tzinfo=UTC)
"""A replay's clock begins here, whatever the day: its machines' times mean nothing to anybody else."""
CHAIN = (("anomaly", BLOCKS), ("work_orders", PREDICTIONS))
NO_LIMIT = 1e9


class ReplayBody(BaseModel):
    """Recorded machines to replay: their asset model, their numbers, the pace of the tenant's clock."""

    model_config = ConfigDict(extra="forbid")

    model: str
    subset: str = Field(pattern=r"^[A-Za-z0-9]{1,20}$")
    units: list[int] = Field(min_length=1, max_length=2000)
    factor: float = Field(gt=0, le=1e9)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    shared = web.shared
    root = "/api/v1"

    @router.post(
        f"{root}/devices/{{tenant}}/{{device}}/history", tags=["devices"], summary="Load a CSV file of history"
    )
    async def history(
        who: Who, request: Request, tenant: str, device: str,
        time: Annotated[str, Query(description="column of the time; empty = found by its name")] = "",
        name: Annotated[str, Query(description="the file's name: .csv, .xz or .gz")] = "history.csv",
    ) -> Response:  # fmt: skip
        if tenant != who.tenant:
            raise not_found("device")
        if not name.endswith(ENDINGS):
            raise bad_field("name", name, f"must end in {', '.join(ENDINGS)}")
        with tempfile.TemporaryDirectory(prefix="forewarn-history-") as folder:
            path = Path(folder) / re.sub(r"[^A-Za-z0-9_.-]", "_", Path(name).name)
            size = 0
            with path.open("wb") as file:
                async for piece in request.stream():
                    size += len(piece)
                    if size > MAX_FILE_BYTES:
                        raise Problem(413, f"a file may have {MAX_FILE_BYTES} bytes at most")
                    file.write(piece)
            return await run_in_threadpool(load, path, tenant, device, time)

    def load(path: Path, tenant: str, device: str, time: str) -> Response:
        try:
            done = import_file(shared, path, device, tenant=tenant, time_column=time or None)
        except UnknownDevice as unknown:
            raise not_found("device") from unknown
        except BadHistoryFile as bad:
            raise Problem(422, str(bad)) from bad
        except SourceBusy as busy:
            raise Problem(409, str(busy)) from busy
        except StoreUnreachable as failure:
            raise Problem(503, f"the telemetry store does not answer: {failure}") from failure
        return answer(
            {
                "boot_id": done.boot_id, "rows": done.rows, "stored": done.stored, "quarantined": done.quarantined,
                "repeated": done.repeated, "refused": done.refused, "faults": list(map(str, done.faults)),
                "notes": done.notes,
            }
        )  # fmt: skip

    @router.post(f"{root}/replays", tags=["system"], summary="Make a tenant of its own for recorded machines")
    def replay(who: Who, body: ReplayBody) -> Response:
        model = shared.models(body.model)
        if model is None:
            raise bad_field("model", body.model, "there is no asset model of this name")
        tenant = f"replay-{body.subset}-{secrets.token_hex(4)}"
        shared.clocks.add_scaled(tenant, REPLAY_BEGINS, body.factor)
        base.set_autonomy(shared, tenant, Autonomy.AUTOMATIC)
        base.set_policy(shared, tenant, Policy(brake_per_100=NO_LIMIT, stale_hours=NO_LIMIT, approval_limit=NO_LIMIT))
        made = {}
        for unit in body.units:
            name = f"engine-{unit:03d}"
            try:
                device = add_device(
                    shared.database, tenant, name, body.model, now=REPLAY_BEGINS, models=shared.models, actor=who.actor
                )
            except RegistryFault as fault:
                raise bad_field("units", str(unit), str(fault)) from fault
            base.add_asset(shared, tenant, name, body.model)
            made[name] = {"password": device.password, "boot_id": secrets.token_hex(8)}
        return answer(
            {
                "tenant": tenant, "start": REPLAY_BEGINS, "signals": list(model.signals), "devices": made,
                "mqtt": f"mqtt://{web.settings.mqtt}",
                "api_key": identity.create_key(
                    shared.database, web.wall(), tenant, Role.ADMIN, at=web.clock(tenant).now()
                ),
            },
            201,
        )  # fmt: skip

    @router.post(f"{root}/replays/end", tags=["system"], summary="A replay is over: its clock stands still")
    def end(who: Who, match: Match) -> Response:
        expect(CLOCK, match, who)
        if not shared.clocks.simulated(who.tenant):
            raise Problem(409, "this tenant is not simulated: its clock cannot be stopped")
        shared.clocks.change(who.tenant, 0.0)
        return answer({"tenant": who.tenant, "factor": 0.0})

    @router.get(f"{root}/progress", tags=["system"], summary="Whether all that was stored is scored and decided upon")
    def progress(who: Who) -> Response:
        with shared.database.read() as connection:
            said = {}
            for consumer, topic in CHAIN:
                newest = connection.execute(
                    sa.select(sa.func.max(log.entries.c.position)).where(log.entries.c.topic == topic)
                ).scalar()
                said[topic] = {"newest": newest or 0, consumer: log.position(connection, consumer, topic)}
        behind = [topic for consumer, topic in CHAIN if said[topic][consumer] < said[topic]["newest"]]
        return answer({"caught_up": not behind, "behind": behind, "topics": said})
