"""What all handlers share: the product's parts, and how a page is made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import access, language
from api.live import Live
from api.ports import Owners
from api.problems import Problem
from api.roles import Principal, Role
from api.settings import Settings
from api.views import StoryBook
from api.words import FILTERS
from contracts.clock import Clock
from plumbing.runtime import Shared

HERE = Path(__file__).parent
DEMO = "demo"
HOME = {
    Role.CUSTOMER: "/my-machines",
    Role.TECHNICIAN: "/my-jobs",
    Role.DISPATCHER: "/inbox",
    Role.ENGINEER: "/fleet",
    Role.ADMIN: "/fleet",
}
MENU = (
    ("My machines", (("/my-machines", "My machines"),)),
    ("My jobs", (("/my-jobs", "My jobs"),)),
    (
        "Inbox",
        (
            ("/inbox", "Inbox"), ("/review", "To decide"), ("/requests", "Requests"), ("/incidents", "Incidents"),
            ("/mail", "Mail"), ("/feedback", "Feedback"),
        ),
    ),
    (
        "Machines",
        (
            ("/fleet", "Fleet"), ("/alarm-groups", "Shared causes"), ("/devices", "Devices"), ("/commands", "Commands"),
            ("/learned", "Learned models"),
        ),
    ),
    (
        "Work",
        (
            ("/cases", "Cases"), ("/orders", "Orders"), ("/notices", "Notices"), ("/plans", "Plans"),
            ("/promises", "Promises"),
        ),
    ),
    ("Customers", (("/customers", "Customers"), ("/installed-base", "Installed base"))),
    ("Figures", (("/figures", "Figures"),)),
    ("Settings", (("/people", "People"), ("/templates", "Templates"), ("/webhooks", "Webhooks"))),
)  # fmt: skip
"""Groups of pages; a role sees of each what it may call."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A group in the menu: where it leads, and its pages while one of them is open."""

    title: str
    at: str
    here: bool
    pages: tuple[tuple[str, str], ...]


def menu_of(role: Role, path: str) -> list[Tab]:
    """The menu of a role on a page."""
    made = []
    for title, pages in MENU:
        mine = tuple((at, words) for at, words in pages if role in (access.TABLE[f"GET {at}"] or ()))
        if mine:
            here = any(path == at or path.startswith(f"{at}/") for at, _ in mine)
            made.append(Tab(title if len(mine) > 1 else mine[0][1], mine[0][0], here, mine))
    return made


def template_environment() -> jinja2.Environment:
    """Templates escape everything that they are given."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(FILTERS | language.FILTERS)
    return made


@dataclass
class Web:
    """One a process."""

    settings: Settings
    shared: Shared
    owners: Owners
    live: Live
    stories: StoryBook | None = None
    unwell: Callable[[], dict[str, str]] = dict
    templates: jinja2.Environment = field(default_factory=template_environment)

    def address(self, request: Request) -> str:
        """Where people reach the pages: as was set, or as whoever asks has reached them, where that names this machine
        alone."""
        url = self.settings.url
        here = urlsplit(url).hostname in (None, "localhost", "127.0.0.1", "::1")
        return str(request.base_url if here else url).rstrip("/")

    def wall(self) -> datetime:
        """Wall time: for sessions and links only."""
        return self.shared.system.now()

    def clock(self, tenant: str) -> Clock:
        """The tenant's clock."""
        return self.shared.clocks.of(tenant)

    def now(self, who: Principal) -> datetime:
        """The time of the principal's tenant."""
        return self.clock(who.tenant).now()

    def page(self, request: Request, template: str, status: int = 200, *, lang: str = "", **context: Any) -> Response:
        """A page with the frame around it: menu, clock, demo bar. `lang` = a customer's language where a link or a
        label says whose page it is; else it is that of whoever signed in, or of the browser."""
        who: Principal | None = getattr(request.state, "who", None)
        lang = lang or self._language(request, who)
        frame: dict[str, Any] = {"who": who, "path": request.url.path, "csrf": (who and who.csrf) or "", "menu": []}
        frame.update(lang=lang, _=language.speaker(lang))
        frame.update(simulated=False, demo=False, clock=None, now=None, problem=None)
        if who is not None:
            clock = self.clock(who.tenant)
            frame.update(
                menu=menu_of(who.role, request.url.path),
                shown_name=self.owners.name_of(who.tenant, who.subject) or who.name, now=clock.now(), clock=clock,
                simulated=self.shared.clocks.simulated(who.tenant),
                demo=who.tenant == DEMO and self.shared.clocks.simulated(DEMO), roles=tuple(Role), home=HOME[who.role],
            )  # fmt: skip
        return HTMLResponse(self.templates.get_template(template).render(**{**frame, **context}), status)

    def _language(self, request: Request, who: Principal | None) -> str:
        """The language to speak: customers' own, colleagues' English, a stranger's browser's."""
        if who is None:
            return language.of_browser(request.headers.get("accept-language", ""))
        return self.owners.language_of(who.tenant, who.subject) if who.role is Role.CUSTOMER else language.ENGLISH

    def problem_page(self, request: Request, problem: Problem) -> Response:
        """The same as the problem object, for people."""
        return self.page(request, "problem.html", problem.status, problem=problem.members())


def back_to(address: str) -> Response:
    """After a form: load a page of ours."""
    return RedirectResponse(address, 303)


def local_address(given: str, otherwise: str) -> str:
    """`given` if it is an address on this site, so that nobody is sent elsewhere."""
    fine = given.startswith("/") and not given.startswith(("//", "/\\")) and "\\" not in given and given.isprintable()
    return given if fine else otherwise
