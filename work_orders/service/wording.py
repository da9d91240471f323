"""Templates: the words of messages, versioned, in a sandbox that can neither reach anything nor run away."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.letter import LANGUAGES, Letter, SlotLine
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.templates import BUILT_IN, NAMES, Words
from work_orders.service import message_tables as m
from work_orders.service.errors import BadInput, Stale
from work_orders.service.unit import unit

MOST = {"subject": 500, "text": 20_000, "html": 40_000}
MOST_RENDERED = 200_000
MOST_LOOPS = 2
PAGES = "https://forewarn.invalid"
"""Stands for the address of the product's pages; whoever hands a message over puts in what it is there."""
CHART = "cid:chart"
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset({"splitlines", "upper", "lower", "strip", "title"}),
    Letter: frozenset(Letter.__slots__),
    SlotLine: frozenset(SlotLine.__slots__),
}
_ACTIVE = re.compile(
    r"<\s*(script|iframe|object|embed|form|link|meta|base)\b|[\s/'\x22]on\w+\s*=|javascript:", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it reads, and which template made it."""

    subject: str
    text: str
    html: str
    template: str
    version: int
    language: str


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """A template that is used now; version 0 came with the product."""

    name: str
    title: str
    language: str
    version: int
    actor: str


@lru_cache(maxsize=2)
def _environment(html: bool) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """No globals, few filters, plain fields, no sums that grow without end."""

        intercepted_binops = frozenset({"*", "**", "%", "+"})

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            allowed = _METHODS.get(type(obj), frozenset())
            return attr in allowed

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            raise SecurityError(f"{operator} is not for templates")

    made = Sandbox(autoescape=html, undefined=StrictUndefined)
    made.globals.clear()
    made.filters = {k: made.filters[k] for k in ("upper", "lower", "title", "trim", "length", "default", "escape", "e")}
    return made


@lru_cache(maxsize=256)
def _compiled(html: bool, source: str) -> Any:
    """A template ready to be filled in: making it takes far longer than using it."""
    return _environment(html).from_string(source)


def render(words: Words, context: Mapping[str, Any], name: str, version: int, language: str) -> Rendered:
    """Fill a template in. Raises BadInput that names the part and the fault."""
    from jinja2 import TemplateError

    out = {}
    for part in MOST:
        try:
            pieces, size = [], 0
            for piece in _compiled(part == "html", getattr(words, part)).generate(context):
                pieces.append(piece)
                size += len(piece)
                if size > MOST_RENDERED:
                    raise BadInput(part, f"becomes longer than {MOST_RENDERED:,} characters")
        except (TemplateError, TypeError, ValueError, OverflowError) as fault:
            line = getattr(fault, "lineno", None)
            raise BadInput(part, f"{'line ' + str(line) + ': ' if line else ''}{fault}") from fault
        out[part] = "".join(pieces)
    subject = " ".join(out["subject"].split())[: MOST["subject"]]
    return Rendered(subject, _tidy(out["text"]), out["html"].strip(), name, version, language)


def _tidy(text: str) -> str:
    """No trailing blanks, at most one empty line."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.strip().splitlines()))


def current(connection: sa.Connection, tenant: str, name: str, language: str) -> tuple[Words, int]:
    """The words that are used now; English where the language has none. Raises BadInput."""
    c = m.templates.c
    for wanted in (language, "en"):
        row = connection.execute(
            sa.select(m.templates)
            .where(c.tenant == tenant, c.name == name, c.language == wanted)
            .order_by(c.version.desc())
            .limit(1)
        ).first()
        if row is not None:
            return Words(row.subject, row.text, row.html), int(row.version)
        if (name, wanted) in BUILT_IN:
            return BUILT_IN[name, wanted], 0
    raise BadInput("name", f"{name!r} must be one of {', '.join(NAMES)}")


def compose(connection: sa.Connection, tenant: str, name: str, language: str, context: Mapping[str, Any]) -> Rendered:
    """A message from the tenant's template; from the product's own where that one fails on these facts."""
    words, version = current(connection, tenant, name, language)
    try:
        return render(words, context, name, version, language)
    except BadInput:
        if version == 0:
            raise
        return render(BUILT_IN.get((name, language), BUILT_IN[name, "en"]), context, name, 0, language)


def examples(name: str, language: str) -> list[dict[str, Any]]:
    """Facts to try a template on: full ones, and as few as there can be."""
    pick, waits = "2026-11-24-am", "Waiting until then costs you 12 EUR on average."
    slots = (SlotLine("Tuesday, 24 November, in the morning", waits, pick),)
    letter = Letter(
        "Pump 1: bearing wear is growing", "The bearing shows signs of bearing wear: vibration is higher than expected"
        " (4.2 mm/s instead of 2.1 mm/s).", "About 3 in 10 machines like this fail within 5 days. The pump stops.",
        "It will most likely last between 4 and 11 days more.", "The visit should be over by Friday, 27 November.",
        "We propose: Replace both bearings.", "The visit costs you nothing: your maintenance contract covers it.",
        "If nobody comes, waiting costs you 6,500 EUR on average.",
        slots,
        "How often such warnings were right: on your machines: 4 of 5; for this kind of fault: no record yet.",
    )  # fmt: skip
    if language == "zh":
        letter = Letter(
            "Pump 1：发现故障征兆（bearing wear）", "我们看到：Vibration 高于平时（4.2 mm/s，平时 2.1 mm/s）。",
            "每 10 台同类设备中约有 3 台会在 5 天内发生故障。", "", "上门最好在 11月27日之前完成。",
            "我们建议：Replace both bearings。",
            "上门对您免费：您的维护合同已包含。", "如果不处理，平均要您承担 6,500 EUR。",
            (SlotLine("11月24日 星期二 上午", "等到那时，您平均要多承担 12 EUR。", pick),),
            "此前的预警经上门检查证实的情况：您的设备：5 次中有 4 次正确；同类故障：还没有记录。",
        )  # fmt: skip
    full: dict[str, Any] = {
        "company": "Your service partner", "phone": "+49 30 123", "asset": "Pump 1", "customer": "City waterworks",
        "link": f"{PAGES}/notices/N-1", "letter": letter, "chart": CHART, "why": "the alarm cleared",
        "as_found": "Bearing <quiet> & dry", "cost": "0 EUR", "record": letter.record, "said": "We come at nine.\nBye",
        "author": "Dora",
    }  # fmt: skip
    bare = {**full, "phone": "", "chart": "", "as_found": "", "why": "", "said": "", "record": ""}
    bare["letter"] = Letter(letter.title, letter.saw, "", "", "", "", "", "", (), "")
    return [{k: v for k, v in facts.items() if k in NEEDS[name]} for facts in (full, bare)]


_ALWAYS = frozenset({"company", "phone", "asset", "customer", "link"})
NEEDS = {
    "forecast": _ALWAYS | {"letter", "chart"},
    "reminder": _ALWAYS | {"letter", "chart"},
    "correction": _ALWAYS | {"why"},
    "false_visit": _ALWAYS | {"as_found", "cost", "record"},
    "reply": _ALWAYS | {"said", "author"},
    "survey": _ALWAYS,
    "confirm": _ALWAYS - {"asset"},
}
"""The names that each template is given."""


def _check_shape(part: str, source: str) -> None:
    """Raises BadInput where a template could run long or reach out: only conditions, and loops two deep."""
    from jinja2 import TemplateSyntaxError, nodes

    def deep(node: Any, loops: int) -> None:
        if isinstance(node, nodes.For):
            loops += 1
            if loops > MOST_LOOPS or node.recursive:
                raise BadInput(part, f"line {node.lineno}: loops stand at most {MOST_LOOPS} deep in each other")
        elif isinstance(node, nodes.Stmt) and not isinstance(node, nodes.Output | nodes.If):
            raise BadInput(part, f"line {node.lineno}: only if and for are for templates")
        for child in node.iter_child_nodes():
            deep(child, loops)

    try:
        deep(_environment(part == "html").parse(source), 0)
    except TemplateSyntaxError as fault:
        raise BadInput(part, f"line {fault.lineno}: {fault}") from fault


def preview(name: str, language: str, words: Words) -> Rendered:
    """How a template reads with example facts; also what is asked of one before it is saved. Raises BadInput."""
    if name not in NAMES:
        raise BadInput("name", f"{name!r} must be one of {', '.join(NAMES)}")
    if language not in LANGUAGES:
        raise BadInput("language", f"{language!r} must be one of {', '.join(LANGUAGES)}")
    for part, most in MOST.items():
        if not getattr(words, part).strip():
            raise BadInput(part, "must not be empty")
        if len(getattr(words, part)) > most:
            raise BadInput(part, f"must be at most {most:,} characters")
        _check_shape(part, getattr(words, part))
    if found := _ACTIVE.search(words.html):
        raise BadInput("html", f"{found.group().strip()!r} has no place in a message")
    made = [render(words, facts, name, 0, language) for facts in examples(name, language)]
    if any(not r.subject or not r.text for r in made[:1]):
        raise BadInput("text", "becomes empty")
    if name in ("forecast", "reminder", "survey", "confirm") and PAGES not in made[0].text:
        raise BadInput("text", "must hold {{ link }}: without it nobody can answer")
    return made[0]


def save_template(
    shared: Shared, tenant: str, name: str, language: str, words: Words, actor: Actor, *, version: int | None = None
) -> int:
    """Keep a new version of a template; its number. `version` = the one that it was written from.

    Raises BadInput, NotPermitted, Stale.
    """
    if actor.role not in (Role.ADMIN, Role.SYSTEM):
        raise NotPermitted(actor.role, "change a template", (Role.ADMIN,))
    preview(name, language, words)
    with unit(shared, tenant, actor) as work:
        c = m.templates.c
        kept = work.all(m.templates, c.name == name, c.language == language)
        last = max((int(r.version) for r in kept), default=0)
        if version is not None and version != last:
            raise Stale(f"{name}/{language}", version, last)
        work.insert(
            m.templates, name=name, language=language, version=last + 1, subject=words.subject, text=words.text,
            html=words.html, at=work.now, actor=actor.name,
        )  # fmt: skip
        text = f"Version {last + 1} of the template {name} ({language}) was saved."
        work.record("template_saved", "", f"{name}/{language}", text, version=last + 1)
        return last + 1


def template_list(connection: sa.Connection, tenant: str) -> list[TemplateInfo]:
    """All templates, as they are used now."""
    rows = connection.execute(sa.select(m.templates).where(m.templates.c.tenant == tenant))
    newest: dict[tuple[str, str], Any] = {}
    for r in rows:
        if (r.name, r.language) not in newest or newest[r.name, r.language].version < r.version:
            newest[r.name, r.language] = r
    out = []
    for name, title in NAMES.items():
        for language in LANGUAGES:
            own = newest.get((name, language))
            out.append(TemplateInfo(name, title, language, own.version if own else 0, own.actor if own else ""))
    return out
