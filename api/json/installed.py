"""The installed base for programs."""

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.commands import Body
from api.owners.installed import TABLES, Base, sheet_of
from api.web import Web

Rows = list[dict[str, str]]


class BaseBody(Body):
    """Rows with the columns that `GET /api/v1/base/{table}` shows; texts, a list divided by commas. With one fault
    nothing is written. `dry_run` writes nothing in any case."""

    customers: Rows = Field(default_factory=list, max_length=20_000)
    sites: Rows = Field(default_factory=list, max_length=20_000)
    assets: Rows = Field(default_factory=list, max_length=20_000)
    contacts: Rows = Field(default_factory=list, max_length=20_000)
    technicians: Rows = Field(default_factory=list, max_length=20_000)
    history: Rows = Field(default_factory=list, max_length=20_000)
    dry_run: bool = False


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Base(web.shared)

    @router.get("/api/v1/base/{table}", tags=["work"], summary="A table, all of it")
    def rows(who: Who, table: str) -> Response:
        return answer({"items": of.rows(who, table), "next": None})

    @router.post("/api/v1/base", tags=["work"], summary="Put on record or change; every fault by row, field and rule")
    def take(who: Who, body: BaseBody) -> Response:
        sheets = [sheet_of(table, rows) for table in TABLES if (rows := getattr(body, table))]
        done = of.take(who, sheets, dry_run=body.dry_run)
        return answer(done, 422 if done.faults else 200)
