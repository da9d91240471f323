"""The same as JSON: conversations, notes, mail without a case, contacts and consents, templates."""

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.commands import Body, version
from api.json.headers import Key, Match
from api.owners.conversations import Conversations
from api.owners.versions import CONSENTS, MAIL, WAYS, expect, numbered
from api.problems import not_found
from api.web import Web
from work_orders.domain.templates import Words


class TextBody(Body):
    """Something to say."""

    text: str = Field("", max_length=10_000)


class MailBody(Body):
    """`case` to assign it to, or `reason` to set it aside."""

    case: str | None = Field(None, max_length=80)
    reason: str | None = Field(None, max_length=300)


class ContactBody(Body):
    """How a customer wants to be told; times are `HH:MM` of his time zone."""

    name: str = Field("", max_length=200)
    language: str = "en"
    time_zone: str = Field("UTC", max_length=64)
    quiet_from: str = "22:00"
    quiet_to: str = "07:00"
    cap_per_day: int = Field(4, ge=0, le=100)


class WayBody(Body):
    """An address in a channel; empty = no more."""

    channel: str = Field("", max_length=32)
    address: str = Field("", max_length=400)


class ConsentBody(Body):
    """What he agreed to, or no longer does."""

    purpose: str = Field("", max_length=32)
    channel: str = Field("", max_length=32)
    given: bool = False


class TemplateBody(Body):
    """A template's three parts."""

    subject: str = Field("", max_length=500)
    text: str = Field("", max_length=20_000)
    html: str = Field("", max_length=40_000)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of, root = Conversations(web.shared), "/api/v1"

    @router.get(
        f"{root}/conversations/{{case}}", tags=["work"], summary="What was said about a case, and how far it is"
    )
    def talk(who: Who, case: str) -> Response:
        found = of.talk(who, case)
        if found is None:
            raise not_found("case")
        return answer(found.conversation)

    @router.post(f"{root}/conversations/{{case}}/messages", tags=["work"], summary="Say something in a conversation")
    def write(who: Who, case: str, body: TextBody, key: Key = "") -> Response:
        return answer({"message": of.write(who, case, body.text, key)}, 201)

    @router.get(f"{root}/conversations/{{case}}/notes", tags=["work"], summary="Notes among colleagues")
    def notes(who: Who, case: str) -> Response:
        found = of.talk(who, case)
        if found is None:
            raise not_found("case")
        return answer({"items": found.notes or (), "next": None})

    @router.post(f"{root}/conversations/{{case}}/notes", tags=["work"], summary="Note something among colleagues")
    def note(who: Who, case: str, body: TextBody) -> Response:
        return answer({"note": of.note(who, case, body.text)}, 201)

    @router.get(f"{root}/mail", tags=["work"], summary="Mail that belongs to no case yet")
    def mail(who: Who) -> Response:
        return answer({"items": numbered(web.shared.database, MAIL, who, of.mails(who), "id"), "next": None})

    @router.post(f"{root}/mail/{{mail}}/{{action}}", tags=["work"], summary="Settle a mail: assign, dismiss")
    def settle(who: Who, mail: str, action: str, match: Match, body: MailBody | None = None) -> Response:
        expect(MAIL, match, who, mail)
        of.settle_mail(who, mail, action, body.fields() if body else {})
        return answer({"mail": mail})

    @router.get(f"{root}/contacts/{{customer}}", tags=["work"], summary="How a customer wants to be told")
    def contact(who: Who, customer: str) -> Response:
        found = of.how_to_tell(who, customer)
        with web.shared.database.read() as connection:
            others = {thing.what: thing.one(connection, who.tenant, customer) for thing in (WAYS, CONSENTS)}
        waiting = [{"channel": c, "address": a, "until": u} for c, a, u in found.waiting]
        version = found.card.version
        return answer(
            {
                "contact": found.card, "said": found.history, "waiting": waiting, "version": version,
                "versions": others,
            }
        )  # fmt: skip

    @router.post(f"{root}/contacts/{{customer}}", tags=["work"], summary="Say how; If-Match carries the version")
    def set_contact(who: Who, customer: str, body: ContactBody, match: Match) -> Response:
        of.set_contact(who, customer, body.fields() | version(match))
        return answer({"contact": of.how_to_tell(who, customer).card})

    @router.post(f"{root}/contacts/{{customer}}/ways", tags=["work"], summary="Set an address in a channel")
    def set_way(who: Who, customer: str, body: WayBody, match: Match) -> Response:
        expect(WAYS, match, who, customer)
        of.set_way(who, customer, body.channel, body.address)
        return answer({"contact": of.how_to_tell(who, customer).card})

    @router.post(f"{root}/contacts/{{customer}}/consents", tags=["work"], summary="Keep what he agreed to")
    def consent(who: Who, customer: str, body: ConsentBody, match: Match) -> Response:
        expect(CONSENTS, match, who, customer)
        of.consent(who, customer, body.purpose, body.channel, body.given)
        return answer({"contact": of.how_to_tell(who, customer).card})

    @router.get(f"{root}/templates", tags=["system"], summary="The words of messages: all templates")
    def templates(who: Who) -> Response:
        return answer({"items": of.templates(who), "next": None})

    @router.get(f"{root}/templates/{{name}}/{{language}}", tags=["system"], summary="A template with its preview")
    def template(who: Who, name: str, language: str) -> Response:
        return answer(of.template(who, name, language))

    @router.post(
        f"{root}/templates/{{name}}/{{language}}", tags=["system"],
        summary="Save a new version of a template; If-Match carries the one that it was written from",
    )  # fmt: skip
    def save(who: Who, name: str, language: str, body: TemplateBody, match: Match) -> Response:
        words = Words(body.subject, body.text, body.html)
        return answer({"version": of.save_template(who, name, language, words, match)}, 201)

    @router.post(
        f"{root}/templates/{{name}}/{{language}}/preview", tags=["system"], summary="How a template would read"
    )
    def preview(who: Who, name: str, language: str, body: TemplateBody) -> Response:
        return answer(of.template(who, name, language, Words(body.subject, body.text, body.html)))
