"""Conversations of cases, mail without a case, how a customer wants to be told, the words of messages."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.conversations import Conversations
from api.problems import not_found
from api.roles import Role
from api.web import Web, back_to, local_address
from work_orders.domain.templates import Words

Text = Annotated[str, Form(max_length=10_000)]
Short = Annotated[str, Form(max_length=400)]
Name = Annotated[str, Form(max_length=64)]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Conversations(web.shared)

    @router.get("/my-cases/{case}", include_in_schema=False)
    def my_case(request: Request, who: Who, case: str) -> Response:
        found = of.talk(who, case)
        if found is None:
            raise not_found("case")
        return web.page(request, "my_case.html", talk=found, write_to=f"/my-cases/{case}/messages")

    @router.post("/my-cases/{case}/messages", include_in_schema=False)
    def write_here(who: Who, case: str, text: Text = "") -> Response:
        of.write(who, case, text)
        return back_to(f"/my-cases/{case}#conversation")

    @router.post("/conversations/{case}/messages", include_in_schema=False)
    def write(who: Who, case: str, text: Text = "") -> Response:
        of.write(who, case, text)
        return back_to(f"/cases/{case}#conversation")

    @router.post("/conversations/{case}/notes", include_in_schema=False)
    def note(who: Who, case: str, text: Text = "") -> Response:
        of.note(who, case, text)
        return back_to(f"/cases/{case}#notes")

    @router.get("/mail", include_in_schema=False)
    def mail(request: Request, who: Who) -> Response:
        return web.page(request, "mails.html", mails=of.mails(who))

    @router.post("/mail/{mail}/{action}", include_in_schema=False)
    def settle(who: Who, mail: str, action: str, case: Name = "", reason: Short = "") -> Response:
        of.settle_mail(who, mail, action, {"case": case, "reason": reason})
        return back_to("/mail")

    @router.get("/contact", include_in_schema=False)
    def own_contact(request: Request, who: Who) -> Response:
        return web.page(request, "contact.html", of=of.how_to_tell(who, who.subject))

    @router.get("/contacts/{customer}", include_in_schema=False)
    def contact(request: Request, who: Who, customer: str) -> Response:
        return web.page(request, "contact.html", of=of.how_to_tell(who, customer))

    def back(who: Who, customer: str, next: str = "") -> Response:
        page = "/contact" if who.role is Role.CUSTOMER else f"/contacts/{customer}"
        return back_to(local_address(next, page))

    @router.post("/contacts/{customer}", include_in_schema=False)
    def set_contact(
        who: Who, customer: str, name: Short = "", language: Name = "", time_zone: Name = "", quiet_from: Name = "",
        quiet_to: Name = "", cap_per_day: Name = "4", version: Name = "",
    ) -> Response:  # fmt: skip
        of.set_contact(
            who, customer,
            {
                "name": name, "language": language, "time_zone": time_zone, "quiet_from": quiet_from,
                "quiet_to": quiet_to, "cap_per_day": cap_per_day, "version": version,
            },
        )  # fmt: skip
        return back(who, customer)

    @router.post("/contacts/{customer}/ways", include_in_schema=False)
    def set_way(who: Who, customer: str, channel: Name = "", address: Short = "") -> Response:
        of.set_way(who, customer, channel, address)
        return back(who, customer)

    @router.post("/contacts/{customer}/consents", include_in_schema=False)
    def consent(who: Who, customer: str, purpose: Name = "", channel: Name = "", given: Name = "") -> Response:
        of.consent(who, customer, purpose, channel, given == "yes")
        return back(who, customer)

    @router.get("/templates", include_in_schema=False)
    def templates(request: Request, who: Who) -> Response:
        return web.page(request, "templates.html", templates=of.templates(who))

    @router.get("/templates/{name}/{language}", include_in_schema=False)
    def template(request: Request, who: Who, name: str, language: str) -> Response:
        return web.page(request, "template.html", shown=of.template(who, name, language))

    @router.post("/templates/{name}/{language}", include_in_schema=False)
    def save(
        request: Request, who: Who, name: str, language: str,
        subject: Annotated[str, Form(max_length=500)] = "",
        text: Annotated[str, Form(max_length=20_000)] = "",
        html: Annotated[str, Form(max_length=40_000)] = "",
        version: Name = "",
        do: Name = "preview",
    ) -> Response:  # fmt: skip
        words = Words(subject.replace("\r\n", "\n"), text.replace("\r\n", "\n"), html.replace("\r\n", "\n"))
        if do == "save":
            of.save_template(who, name, language, words, int(version) if version.isdecimal() else None)
            return back_to(f"/templates/{name}/{language}")
        return web.page(request, "template.html", shown=of.template(who, name, language, words))
