"""The installed base on one page: what is there, one more by hand, many out of a spreadsheet."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, File, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.installed import FIELDS, TABLES, Base, Read, Sheet, matched, sheet_of, table_of
from api.problems import bad_field
from api.roles import Principal
from api.web import Web, back_to

HERE = "/installed-base"
MOST_BYTES = 5_000_000
SHOWN_FAULTS = 200


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Base(web.shared)

    def page(request: Request, who: Principal, status: int = 200, **more: Any) -> Response:
        told = {"sheets": [], "chosen": [], "done": None, "kept": "", "tried": "", "adding": "", "typed": {}} | more
        rows = {table: of.rows(who, table) for table in TABLES}
        return web.page(request, "installed.html", status, rows=rows, fields=FIELDS, most=SHOWN_FAULTS, **told)

    def preview(request: Request, who: Principal, sheets: list[Read], chosen: list[Sheet], take: bool) -> Response:
        done = of.take(who, chosen, dry_run=not take)
        if done.written:
            return page(request, who, done=done)
        return page(
            request, who, 422 if done.faults else 200, sheets=sheets, chosen=chosen, done=done,
            kept=msgspec.json.encode(sheets).decode(), tried="yes",
        )  # fmt: skip

    @router.get("/installed-base", include_in_schema=False)
    def show(request: Request, who: Who) -> Response:
        return page(request, who)

    @router.post("/installed-base", include_in_schema=False)
    def upload(request: Request, who: Who, file: Annotated[UploadFile, File()]) -> Response:
        data = file.file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise bad_field("file", file.filename, "at most 5 MB here; forewarn base import takes larger ones")
        sheets = of.sheets(file.filename or "file", data)
        chosen = [_chosen(sheet, table_of(sheet.name, sheet.headers), {}) for sheet in sheets]
        return preview(request, who, sheets, chosen, False)

    @router.post("/installed-base/sheets", include_in_schema=False)
    async def again(request: Request, who: Who) -> Response:
        form = await request.form(max_fields=10_000)
        try:
            sheets = msgspec.json.decode(str(form.get("kept", "")), type=list[Read])
        except msgspec.DecodeError:
            raise bad_field("kept", "", "what the page before sent; begin with the file again") from None
        chosen = []
        for n, sheet in enumerate(sheets):
            said = {h: str(form[f"field-{n}-{k}"]) for k, h in enumerate(sheet.headers) if f"field-{n}-{k}" in form}
            table = str(form.get(f"table-{n}", ""))
            asked_before = form.get(f"was-{n}") == table
            chosen.append(_chosen(sheet, table, said if asked_before else {}))
        return await run_in_threadpool(preview, request, who, sheets, chosen, form.get("do") == "take")

    @router.post("/installed-base/{table}", include_in_schema=False)
    async def add(request: Request, who: Who, table: str) -> Response:
        if table not in TABLES:
            raise bad_field("table", table, f"one of {', '.join(TABLES)}")
        form = await request.form()
        typed = {f.name: str(form[f.name]).strip() for f in FIELDS[table] if str(form.get(f.name, "")).strip()}
        return await run_in_threadpool(put, request, who, table, typed)

    def put(request: Request, who: Principal, table: str, typed: dict[str, str]) -> Response:
        empty = {f.name: "" for f in FIELDS[table] if f.required}
        done = of.take(who, [sheet_of(table, [empty | typed])], dry_run=False)
        if done.written and (done.added or done.changed or done.same):
            return back_to(f"{HERE}#{table}")
        return page(request, who, 422, done=done, adding=table, typed=typed)


def _chosen(sheet: Read, table: str, said: dict[str, str]) -> Sheet:
    """The sheet as the table it is, with what each header means; of no table ("") where it is left out."""
    if table not in TABLES:
        return Sheet("", sheet.headers, sheet.cells)
    found = matched(table, sheet.headers, said)
    return Sheet(table, sheet.headers, sheet.cells, {h: found.get(h, "") for h in sheet.headers})
