"""What people do with a job: its visit, steps, files, permits, what it took; files as they are served."""

import re
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from starlette.responses import Response

from api.guard import Who
from api.owners.jobs import Jobs
from api.problems import bad_field, not_found
from api.web import Web, back_to
from work_orders.domain.files import MAX_BYTES

FILE_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
"""A file is shown or saved, and can do nothing."""


async def taken(file: UploadFile) -> tuple[str, bytes]:
    """Name and bytes of an uploaded file, at most one byte more than is allowed."""
    return file.filename or "", await file.read(MAX_BYTES + 1)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    jobs = Jobs(web.shared)

    @router.get("/files/{attachment}", include_in_schema=False)
    def file(who: Who, attachment: str) -> Response:
        found = jobs.file(who, attachment)
        if found is None:
            raise not_found("file")
        of, body = found
        shown = "inline" if of.media_type.startswith("image/") else "attachment"
        plain = re.sub(r"[^A-Za-z0-9_. -]", "_", of.name)
        headers = {**FILE_HEADERS, "Content-Disposition": f'{shown}; filename="{plain}"', "ETag": f'"{of.sha256}"'}
        return Response(body, media_type=of.media_type, headers=headers)

    @router.post("/orders/{order}/visit/{action}", include_in_schema=False)
    def visit(who: Who, order: str, action: str, reason: Annotated[str, Form(max_length=300)] = "") -> Response:
        jobs.visit(who, order, action, reason)
        return back_to("/my-jobs" if action == "reject" and not who.sees_all else f"/orders/{order}")

    @router.post("/orders/{order}/files", include_in_schema=False)
    async def attach(
        who: Who,
        order: str,
        file: Annotated[UploadFile | None, File()] = None,
        purpose: Annotated[str, Form(max_length=16)] = "photo",
        step: Annotated[int | None, Form()] = None,
    ) -> Response:
        from starlette.concurrency import run_in_threadpool

        name, data = await taken(file) if file is not None else ("", b"")
        if await run_in_threadpool(jobs.job, who, order) is None:
            raise not_found("work order")
        if not data:
            raise bad_field("file", "", "choose a file")
        await run_in_threadpool(jobs.attach, who, order, name, data, purpose, step)
        return back_to(f"/orders/{order}")

    @router.post("/orders/{order}/permits", include_in_schema=False)
    def grant(
        who: Who,
        order: str,
        name: Annotated[str, Form(max_length=100)] = "",
        note: Annotated[str, Form(max_length=300)] = "",
    ) -> Response:
        if jobs.job(who, order) is None:
            raise not_found("work order")
        jobs.grant(who, order, name, note)
        return back_to(f"/orders/{order}")

    @router.post("/orders/{order}/permits/{permit}/release", include_in_schema=False)
    def give_back(who: Who, order: str, permit: str) -> Response:
        jobs.give_back(who, order, permit)
        return back_to(f"/orders/{order}")

    @router.post("/orders/{order}/actuals", include_in_schema=False)
    def took(
        who: Who,
        order: str,
        work_minutes: Annotated[str, Form(max_length=10)] = "",
        travel_minutes: Annotated[str, Form(max_length=10)] = "",
        km: Annotated[str, Form(max_length=10)] = "",
        parts_cost: Annotated[str, Form(max_length=14)] = "",
        other_cost: Annotated[str, Form(max_length=14)] = "",
        note: Annotated[str, Form(max_length=300)] = "",
    ) -> Response:
        fields = {
            "work_minutes": work_minutes, "travel_minutes": travel_minutes, "km": km,
            "parts_cost": parts_cost, "other_cost": other_cost, "note": note,
        }  # fmt: skip
        jobs.took(who, order, fields)
        return back_to(f"/orders/{order}")
