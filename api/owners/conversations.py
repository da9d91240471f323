"""What customers and dispatchers say to each other, how a customer wants to be told, and the words of messages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.owners.commands import actor_of, refusals
from api.owners.language_for import language_for
from api.problems import not_found
from api.roles import Principal, Role
from api.views import Chore
from plumbing.runtime import Shared
from work_orders import queries
from work_orders.domain.contact_rules import Purpose
from work_orders.domain.letter import LANGUAGES
from work_orders.domain.templates import NAMES, Words
from work_orders.queries import conversations, telling
from work_orders.queries.conversations import Conversation, LooseMail, Note
from work_orders.queries.telling import NoticeMore
from work_orders.service import addresses, contacts, conversation, wording
from work_orders.service.contacts import Consent, ContactCard
from work_orders.service.errors import BadInput
from work_orders.service.wording import Rendered, TemplateInfo

PURPOSES = {
    Purpose.FORECAST: "Forecasts about my machines",
    Purpose.SERVICE: "Answers and news about my cases",
    Purpose.SAFETY: "Safety warnings",
    Purpose.SAFETY_AT_NIGHT: "Safety warnings in my quiet hours, too",
    Purpose.SURVEY: "How satisfied I was",
}
OPEN_SHOWN = 5
_STYLE, _PICTURE = re.compile(r'\sstyle="[^"]*"'), re.compile(r'<img\b[^>]*\balt="([^"]*)"[^>]*>')


@dataclass(frozen=True, slots=True)
class Talk:
    """The conversation of a case; `notes` None for whoever must not know that there are any."""

    conversation: Conversation
    notes: Sequence[Note] | None


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """An open case of a customer in a line."""

    case_id: str
    asset: str
    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class HowToTell:
    """A contact with what he could agree to: by channel and purpose whether he did, when and by whom."""

    card: ContactCard
    rows: Sequence[tuple[str, str, Sequence[tuple[str, str, Consent | None]]]]
    """Channel, address, (purpose, words, what he said)."""
    history: Sequence[Consent]
    languages: dict[str, str]
    waiting: Sequence[tuple[str, str, datetime]]
    """Channel, address and end of what is not confirmed yet."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it is used now, and how it reads."""

    name: str
    title: str
    language: str
    version: int
    words: Words
    preview: Rendered | None
    page: str
    """The mail as a page of ours can show it: without styles of its own and without its picture."""
    names: Sequence[str]
    fault: str = ""


class Conversations:
    """Of one installation; what is not the principal's is None, or not found."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def talk(self, who: Principal, case: str) -> Talk | None:
        """A case's conversation. Notes are asked for only where colleagues look."""
        now = self._shared.clocks.of(who.tenant).now()
        with self._shared.database.read() as connection:
            if who.role is Role.CUSTOMER:
                lang = language_for(connection, who)
                found = conversations.conversation(
                    connection, who.tenant, case, customer_id=who.subject, now=now, language=lang
                )
                known = found is not None and telling.spoken_of(connection, who.tenant, case)
                return Talk(found, None) if found is not None and known else None
            found = conversations.conversation(connection, who.tenant, case, now=now)
            return None if found is None else Talk(found, conversations.notes(connection, who.tenant, case))

    def sounds_urgent(self, who: Principal, case: str) -> bool:
        """Whether a customer's case is urgent by what was said."""
        found = self.talk(who, case) if who.role is Role.CUSTOMER else None
        return found is not None and found.conversation.person is not None

    def reach(self, who: Principal) -> str:
        """How a customer who is signed in can be reached, so that no form asks again; empty for anybody else."""
        if who.role is not Role.CUSTOMER:
            return ""
        with self._shared.database.read() as connection:
            card = contacts.card(connection, who.tenant, who.subject)
        return card.ways[0].address if card is not None and card.ways else ""

    def under_way(self, who: Principal) -> Sequence[OnTheWay]:
        """The customer's open cases, each with the step that it has reached."""
        now = self._shared.clocks.of(who.tenant).now()
        out = []
        with self._shared.database.read() as connection:
            lang = language_for(connection, who)
            found = queries.cases(connection, who.tenant, customer_id=who.subject, open_only=True, limit=OPEN_SHOWN)
            for row in found.items:
                said = conversations.conversation(
                    connection, who.tenant, row.id, customer_id=who.subject, now=now, language=lang
                )
                if said is None or not telling.spoken_of(connection, who.tenant, row.id):
                    continue
                step = [s for s in said.steps if s.done][-1]
                out.append(OnTheWay(row.id, said.asset, step.text, step.at))
        return out

    def notice_more(self, who: Principal, notice: str, language: str = "en") -> NoticeMore | None:
        """Track record and prices of waiting of a notice that the principal may see."""
        now = self._shared.clocks.of(who.tenant).now()
        with self._shared.database.read() as connection:
            return telling.notice_more(connection, who.tenant, notice, now, language)

    def write(self, who: Principal, case: str, text: str, key: str = "") -> str:
        """Say something; the same `key` again says nothing more."""
        with refusals():
            return conversation.write_message(
                self._shared, who.tenant, case, text, actor_of(self._shared, who), key=key
            )

    def note(self, who: Principal, case: str, text: str) -> int:
        """Note something among colleagues."""
        with refusals():
            return conversation.add_note(self._shared, who.tenant, case, text, actor_of(self._shared, who))

    def mails(self, who: Principal) -> Sequence[LooseMail]:
        """Mails that belong to no case yet."""
        with self._shared.database.read() as connection:
            return conversations.loose_mails(connection, who.tenant)

    def settle_mail(self, who: Principal, mail: str, action: str, fields: dict[str, str]) -> None:
        """`assign` to a case, or `dismiss` with a reason."""
        actor = actor_of(self._shared, who)
        with refusals():
            if action == "assign":
                conversation.assign_mail(self._shared, who.tenant, mail, fields.get("case", "").strip(), actor)
            elif action == "dismiss":
                conversation.dismiss_mail(self._shared, who.tenant, mail, fields.get("reason", ""), actor)
            else:
                raise not_found("action")

    def chores(self, who: Principal) -> Sequence[Chore]:
        """What customers wrote, and mail that nobody has looked at, for the inbox."""
        with self._shared.database.read() as connection:
            waiting = conversations.unanswered(connection, who.tenant)
            loose = conversations.loose_mails(connection, who.tenant)
        out = [
            Chore(
                "customer_wrote", u.case_id, f"{u.asset}: {u.customer} wrote", u.text[:300],
                f"/cases/{u.case_id}#conversation", "", {}, "Answer", u.at,
            )
            for u in waiting.items
        ]  # fmt: skip
        if waiting.next is not None:
            text = "They come up here as those above are answered."
            more = Chore("customer_wrote", "", "More customers wrote", text, "/inbox", "", {}, "Again", out[-1].since)
            out.append(more)
        if loose:
            text = f"{loose[0].sender}: {loose[0].subject}"
            title = f"{len(loose)} mail{'' if len(loose) == 1 else 's'} without a case"
            out.append(Chore("mail", loose[0].id, title, text, "/mail", "", {}, "Look at it", loose[0].at))
        return out

    def how_to_tell(self, who: Principal, customer: str) -> HowToTell:
        """A customer's contact. Raises Problem."""
        if who.role is Role.CUSTOMER and customer != who.subject:
            raise not_found("customer")
        with self._shared.database.read() as connection:
            card = contacts.card(connection, who.tenant, customer)
            if card is None:
                raise not_found("customer")
            history = contacts.consents_said(connection, who.tenant, customer)
            waiting = addresses.waiting(connection, who.tenant, customer, self._shared.system.now())
        said = {(c.purpose, c.channel): c for c in card.consents}
        ways = {w.channel: w.address for w in card.ways}
        rows = [
            (
                channel, address,
                [(str(p), words, said.get((str(p), channel))) for p, words in PURPOSES.items()],
            )
            for channel, address in ways.items()
        ]  # fmt: skip
        return HowToTell(card, rows, history, LANGUAGES, waiting)

    def set_contact(self, who: Principal, customer: str, fields: dict[str, str]) -> None:
        """Language, time zone, quiet hours, messages a day."""
        cap, version = fields.get("cap_per_day", "4"), fields.get("version", "")
        with refusals():
            contacts.set_contact(
                self._shared, who.tenant, customer, actor_of(self._shared, who), name=fields.get("name", ""),
                language=fields.get("language", ""), time_zone=fields.get("time_zone", ""),
                quiet_from=fields.get("quiet_from", ""), quiet_to=fields.get("quiet_to", ""),
                cap_per_day=int(cap) if cap.isdecimal() and len(cap) < 4 else -1,
                version=int(version) if version.isdecimal() and len(version) < 10 else None,
            )  # fmt: skip

    def set_way(self, who: Principal, customer: str, channel: str, address: str) -> None:
        """An address in a channel."""
        with refusals():
            addresses.set_way(self._shared, who.tenant, customer, channel, address, actor_of(self._shared, who))

    def consent(self, who: Principal, customer: str, purpose: str, channel: str, given: bool) -> None:
        """Agree, or not any more."""
        with refusals():
            contacts.give_consent(
                self._shared, who.tenant, customer, purpose, channel, given, actor_of(self._shared, who)
            )

    def templates(self, who: Principal) -> Sequence[TemplateInfo]:
        """All templates."""
        with self._shared.database.read() as connection:
            return wording.template_list(connection, who.tenant)

    def template(self, who: Principal, name: str, language: str, draft: Words | None = None) -> Template:
        """A template with its preview; with a `draft` how that would read. Raises Problem."""
        if name not in NAMES or language not in LANGUAGES:
            raise not_found("template")
        with self._shared.database.read() as connection:
            words, version = wording.current(connection, who.tenant, name, language)
        shown, preview, fault = draft or words, None, ""
        try:
            preview = wording.preview(name, language, shown)
        except BadInput as no:
            fault = str(no)
        names = sorted(wording.NEEDS[name])
        page = _STYLE.sub("", _PICTURE.sub(r"[\1]", preview.html)) if preview else ""
        return Template(name, NAMES[name], language, version, shown, preview, page, names, fault)

    def save_template(self, who: Principal, name: str, language: str, words: Words, version: int | None) -> int:
        """A new version; its number."""
        if name not in NAMES or language not in LANGUAGES:
            raise not_found("template")
        with refusals():
            return wording.save_template(
                self._shared, who.tenant, name, language, words, actor_of(self._shared, who), version=version
            )
