"""Pages that a link from a message opens without signing in. Looking changes nothing, for mail programs look by
themselves; what is pressed there does, once."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.owners.aftercare import Aftercare
from api.owners.conversations import Conversations
from api.owners.links import REPLIES, Links
from api.pages.aftercare import FACES
from api.pages.customer import DECLINE_REASONS
from api.problems import Problem, not_found
from api.web import Web, back_to

Short = Annotated[str, Form(max_length=64)]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of, care, owners, talks = Links(web.shared), Aftercare(web.shared), web.owners, Conversations(web.shared)

    @router.get("/answer/{token}", include_in_schema=False)
    def notice(request: Request, token: str, do: str = "") -> Response:
        who, id = of.notice(token, request.state.who)
        found = owners.notice(who, id)
        if found is None:
            raise not_found("notice")
        lang = owners.language_of(who.tenant, who.subject)
        doing = do if do in REPLIES[1:] else ""
        return web.page(
            request, "answer.html", lang=lang, notice=found, reasons=DECLINE_REASONS, doing=doing,
            picked="" if doing else do[:16], answer_to=f"/answer/{token}", day_from=web.now(who),
            more=talks.notice_more(who, id, lang),
        )  # fmt: skip

    @router.post("/answer/{token}/{reply}", include_in_schema=False)
    def answer(
        request: Request,
        token: str,
        reply: str,
        pick: Short = "",
        reason: Annotated[str, Form(max_length=100)] = "",
        more: Annotated[str, Form(max_length=400)] = "",
        day: Short = "",
        half: Annotated[str, Form(max_length=2)] = "",
    ) -> Response:
        who, id = of.notice(token, request.state.who)
        found = owners.notice(who, id) if reply in REPLIES else None
        if found is None:
            raise not_found("answer")
        if not found.open:  # it was answered before, perhaps by the same finger
            return back_to(f"/answer/{token}")
        fields = {"day": day, "half": half, "version": str(found.version)}
        fields["reason"] = ": ".join(part.strip() for part in (reason, more) if part.strip())
        if reply == "accept":
            slot = next((s for s in found.slots if s.pick == pick), None)
            if slot is None:
                raise Problem(409, "The half day that you chose is not free any more.")
            fields["slot"] = slot.key
        owners.answer(who, id, reply, {k: v for k, v in fields.items() if v})
        return back_to(f"/answer/{token}")

    @router.get("/survey/{token}", include_in_schema=False)
    def survey(request: Request, token: str) -> Response:
        who, order = of.survey(token, request.state.who)
        lang = owners.language_of(who.tenant, who.subject)
        return web.page(
            request, "survey.html", lang=lang, survey=care.survey(who, order), faces=FACES,
            answer_to=f"/survey/{token}",
        )  # fmt: skip

    @router.post("/survey/{token}", include_in_schema=False)
    def said(
        request: Request,
        token: str,
        satisfied: Annotated[str, Form(max_length=2)] = "",
        recommends: Annotated[str, Form(max_length=2)] = "",
        effort: Annotated[str, Form(max_length=2)] = "",
        words: Annotated[str, Form(max_length=2000)] = "",
    ) -> Response:
        who, order = of.survey(token, request.state.who)
        fields = {"satisfied": satisfied, "recommends": recommends, "effort": effort, "words": words}
        care.answer(who, order, fields)
        return back_to(f"/survey/{token}")

    @router.get("/confirm/{token}", include_in_schema=False)
    def ask(request: Request, token: str) -> Response:
        _, customer, address, lang = of.address(token)
        return web.page(request, "confirm.html", lang=lang, customer=customer, address=address, done=False)

    @router.post("/confirm/{token}", include_in_schema=False)
    def confirm(request: Request, token: str) -> Response:
        link, customer, address, lang = of.address(token)
        of.confirm(link)
        return web.page(request, "confirm.html", lang=lang, customer=customer, address=address, done=True)
