"""The one door on pages: a label at a machine, a report by whoever has an account, calls typed in, incidents."""

import secrets
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.language import ENGLISH
from api.owners.conversations import Conversations
from api.owners.jobs import Jobs
from api.pages.jobs import taken
from api.problems import bad_field, not_found
from api.web import Web, back_to
from work_orders.domain.report_words import SYMPTOMS

Photos = Annotated[list[UploadFile] | None, File()]


async def _photos(given: list[UploadFile] | None) -> list[tuple[str, bytes]]:
    """The photos of a form; an empty field is none."""
    read = [await taken(one) for one in (given or [])[:4] if one.filename]
    return [(name, data) for name, data in read if data]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    jobs, owners = Jobs(web.shared), web.owners

    @router.get("/report/{token}", include_in_schema=False)
    def label(request: Request, token: str) -> Response:
        machine = jobs.labelled(token)
        return web.page(
            request, "report.html", machine=machine, symptoms=SYMPTOMS, once=secrets.token_urlsafe(12),
            action=f"/report/{token}", lang=_unless_english(machine.language),
        )  # fmt: skip

    @router.post("/report/{token}", include_in_schema=False)
    async def by_label(
        request: Request,
        token: str,
        symptom: Annotated[str, Form(max_length=16)] = "",
        text: Annotated[str, Form(max_length=2000)] = "",
        contact: Annotated[str, Form(max_length=200)] = "",
        once: Annotated[str, Form(max_length=40)] = "",
        photo: Photos = None,
    ) -> Response:
        await run_in_threadpool(jobs.labelled, token)
        fields = {"symptom": symptom, "text": text, "contact": contact, "once": once}
        address = request.client.host if request.client else ""
        made = await run_in_threadpool(jobs.report_by_label, token, fields, await _photos(photo), address)
        return back_to(f"/reports/{made.token}")

    @router.get("/reports/{token}", include_in_schema=False)
    def progress(request: Request, token: str) -> Response:
        report = jobs.progress(token)
        symptom = next((words for words in SYMPTOMS.values() if report.text.startswith(words)), "")
        return web.page(request, "reported.html", report=report, symptom=symptom, lang=_unless_english(report.language))

    @router.get("/assets/{asset}/report", include_in_schema=False)
    def form(request: Request, who: Who, asset: str) -> Response:
        found = owners.asset(who, asset)
        if found is None:
            raise not_found("machine")
        return web.page(
            request, "report.html", machine=found, symptoms=SYMPTOMS, once=secrets.token_urlsafe(12),
            action=f"/assets/{asset}/report", reach=Conversations(web.shared).reach(who),
        )  # fmt: skip

    @router.post("/assets/{asset}/report", include_in_schema=False)
    async def report(
        request: Request,
        who: Who,
        asset: str,
        symptom: Annotated[str, Form(max_length=16)] = "other",
        text: Annotated[str, Form(max_length=2000)] = "",
        contact: Annotated[str, Form(max_length=200)] = "",
        caller: Annotated[str, Form(max_length=200)] = "",
        complaint: Annotated[str, Form(max_length=5)] = "",
        once: Annotated[str, Form(max_length=40)] = "",
        photo: Photos = None,
    ) -> Response:
        if await run_in_threadpool(owners.asset, who, asset) is None:
            raise not_found("machine")
        fields = {"symptom": symptom, "text": text, "contact": contact, "who": caller, "once": once}
        fields["complaint"] = "true" if complaint else ""
        opened = await run_in_threadpool(jobs.report, who, asset, fields, await _photos(photo))
        if who.sees_all:
            return back_to(f"/cases/{opened.case}")
        case = opened.case or ""
        urgent = await run_in_threadpool(Conversations(web.shared).sounds_urgent, who, case)
        if urgent:  # there a person is offered
            return back_to(f"/my-cases/{case}")
        return back_to(f"/assets/{asset}")

    @router.get("/assets/{asset}/label", include_in_schema=False)
    def label_page(request: Request, who: Who, asset: str) -> Response:
        found = owners.asset(who, asset)
        if found is None:
            raise not_found("machine")
        token = jobs.label(who, asset)
        address = f"{web.address(request)}/report/{token}"
        return web.page(request, "label.html", asset=found, address=address, picture=_picture(address))

    @router.post("/assets/{asset}/label", include_in_schema=False)
    def renew(who: Who, asset: str) -> Response:
        if owners.asset(who, asset) is None:
            raise not_found("machine")
        jobs.label(who, asset, renew=True)
        return back_to(f"/assets/{asset}/label")

    @router.get("/requests", include_in_schema=False)
    def requests(request: Request, who: Who) -> Response:
        return web.page(
            request, "requests.html", unplaced=jobs.requests(who, unplaced=True), newest=jobs.requests(who),
            assets=owners.assets(who), symptoms=SYMPTOMS, once=secrets.token_urlsafe(12),
        )  # fmt: skip

    @router.post("/requests", include_in_schema=False)
    def call(
        who: Who,
        asset: Annotated[str, Form(max_length=64)] = "",
        symptom: Annotated[str, Form(max_length=16)] = "other",
        text: Annotated[str, Form(max_length=2000)] = "",
        caller: Annotated[str, Form(max_length=200)] = "",
        contact: Annotated[str, Form(max_length=200)] = "",
        complaint: Annotated[str, Form(max_length=5)] = "",
        once: Annotated[str, Form(max_length=40)] = "",
    ) -> Response:
        if not text.strip() and symptom == "other":
            raise bad_field("text", text, "say what the caller said")
        fields = {"symptom": symptom, "text": text, "contact": contact, "who": caller, "once": once}
        fields["complaint"] = "true" if complaint else ""
        opened = jobs.report(who, asset, fields)
        return back_to(f"/cases/{opened.case}" if opened.case else "/requests")

    @router.post("/requests/{request_id}/place", include_in_schema=False)
    def place(
        who: Who,
        request_id: str,
        asset: Annotated[str, Form(max_length=64)] = "",
        component: Annotated[str, Form(max_length=64)] = "",
    ) -> Response:
        return back_to(f"/cases/{jobs.place(who, request_id, asset, component)}")

    @router.get("/incidents", include_in_schema=False)
    def incidents(request: Request, who: Who) -> Response:
        return web.page(
            request, "incidents.html", incidents=jobs.incidents(who), models=owners.models(), recalls=jobs.recalls(who)
        )

    @router.post("/incidents", include_in_schema=False)
    def recall(
        who: Who,
        name: Annotated[str, Form(max_length=100)] = "",
        text: Annotated[str, Form(max_length=1000)] = "",
        model: Annotated[str, Form(max_length=64)] = "",
        serials: Annotated[str, Form(max_length=2000)] = "",
        component: Annotated[str, Form(max_length=64)] = "",
    ) -> Response:
        made = jobs.recall(who, name, text, model, serials, component)
        return back_to(f"/incidents/{made.incident}" if made.incident else "/incidents")

    @router.get("/incidents/{incident}", include_in_schema=False)
    def incident(request: Request, who: Who, incident: str) -> Response:
        found, members = jobs.incident(who, incident)
        recalls = jobs.recalls(who, incident)
        return web.page(request, "incident.html", incident=found, members=members, recalls=recalls)

    @router.post("/incidents/{incident}/{action}", include_in_schema=False)
    def move(who: Who, incident: str, action: str, case: Annotated[list[str] | None, Form()] = None) -> Response:
        jobs.move_incident(who, incident, action, case or ())
        return back_to(f"/incidents/{incident}")


def _unless_english(language: str) -> str:
    """The language of the machine's customer; "" leaves it to the browser of whoever stands there."""
    return "" if language == ENGLISH else language


def _picture(address: str) -> str:
    """A QR code as SVG."""
    import io

    import segno

    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", xmldecl=False, svgns=True, scale=6, border=2)
    return out.getvalue().decode()
