"""The tables of the installed base as spreadsheets know them: their columns, what headers mean, what cells may hold.

Headers are matched by what they say, in English, German or Chinese, with spelling mistakes; a person sees the match and
corrects it before anything is written.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.names import NAME_RULE, is_name
from contracts.records import RESULTS
from work_orders.domain.past_jobs import NO, YES, amount, moment

Check = Callable[[str], str | None]
"""What a cell must be, where it is not that; None = it is fine."""
LIKE = 0.86
"""How alike a header and a known word must be (difflib's ratio); below, people's headers meet words by chance."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `refers` names the table whose id (or name) stands in it; `many` = parts divided by commas."""

    name: str
    also: tuple[str, ...] = ()
    required: bool = False
    most: int = 200
    check: Check | None = None
    refers: str = ""
    many: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell, a row (`field` empty) or a whole table (`row` 0). Rows count as people count them in
    a spreadsheet: the header is row 1."""

    table: str
    row: int
    field: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row that holds what it should; a column that was not there, or an empty cell, is not in `values`."""

    number: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it was given: headers, and cells as texts."""

    table: str
    headers: tuple[str, ...]
    cells: Sequence[Sequence[str]]
    meant: Mapping[str, str] = field(default_factory=dict)
    """Headers that a person has said the field of; "" = leave it out."""


def _id(text: str) -> str | None:
    return None if is_name(text) else NAME_RULE


def _email(text: str) -> str | None:
    fine = re.fullmatch(r"[^@\s,;<>]{1,64}@[^@\s,;<>]+\.[^@\s,;<>.]{2,63}", text)
    return None if fine else "an e-mail address, such as ida@example.org"


def _phone(text: str) -> str | None:
    fine = re.fullmatch(r"\+?[\d\s()/.-]{3,40}", text) and sum(c.isdigit() for c in text) >= 3
    return None if fine else "a telephone number, such as +49 30 123456"


def _one_of(*words: str) -> Check:
    return lambda text: None if text in words else f"one of {', '.join(words)}"


def _country(text: str) -> str | None:
    fine = re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", text)
    return None if fine else "a country of ISO 3166, with a part of it if wanted, such as DE or DE-BY"


def _language(text: str) -> str | None:
    return None if re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", text) else "a language, such as en or zh"


def _degrees(most: int) -> Check:
    def check(text: str) -> str | None:
        fine = re.fullmatch(r"-?\d{1,3}([.,]\d{1,12})?", text) and abs(degrees(text)) <= most
        return None if fine else f"degrees from -{most} to {most}, such as 52.52"

    return check


def degrees(text: str) -> float:
    """What a cell of degrees says."""
    return float(text.replace(",", "."))


def _weekdays(text: str) -> str | None:
    return None if re.fullmatch(r"[0-6]", text) else "weekdays from 0 (Monday) to 6 (Sunday), divided by commas"


def _date(text: str) -> str | None:
    return None if moment(text) else "a day such as 2024-12-24 or 24.12.2024, or a time of ISO 8601"


def _amount(text: str) -> str | None:
    return None if amount(text) is not None else "an amount such as 1234.50"


def _minutes(text: str) -> str | None:
    return None if re.fullmatch(r"\d{1,6}", text) else "whole minutes"


def _currency(text: str) -> str | None:
    return None if re.fullmatch(r"[A-Z]{3}", text) else "a currency of ISO 4217, such as EUR"


FIELDS: Mapping[str, tuple[Field, ...]] = {
    "customers": (
        Field("id", ("customer id", "customer no", "kundennummer", "客户编号"), check=_id),
        Field("name", ("customer", "company", "kunde", "firma", "客户", "公司", "名称"), True),
        Field("contact", ("contact person", "ansprechpartner", "联系人")),
        Field("phone", ("telephone", "tel", "mobile", "telefon", "电话"), most=64, check=_phone),
        Field("email", ("mail", "e-mail address", "邮箱", "电子邮件"), check=_email),
        Field("locale", ("language", "sprache", "语言"), most=16, check=_language),
        Field("tier", ("service level", "sla", "stufe", "等级"), most=64, check=_id),
    ),
    "sites": (
        Field("id", ("site id", "standortnummer", "站点编号"), check=_id),
        Field("customer", ("customer id", "company", "kunde", "客户"), True, refers="customers"),
        Field("name", ("site", "location", "plant", "standort", "站点", "地点"), True),
        Field("address", ("street", "anschrift", "adresse", "地址"), most=400),
        Field("time_zone", ("timezone", "tz", "zeitzone", "时区"), most=64),
        Field("country", ("land", "国家"), most=16, check=_country),
        Field("access_notes", ("access", "notes", "zugang", "备注"), most=2000),
        Field("latitude", ("lat", "breite", "breitengrad", "纬度"), most=20, check=_degrees(90)),
        Field("longitude", ("lon", "lng", "länge", "längengrad", "经度"), most=20, check=_degrees(180)),
    ),
    "assets": (
        Field("id", ("asset id", "machine id", "tag", "anlagennummer", "设备编号"), check=_id),
        Field("model", ("asset model", "type", "kind", "modell", "typ", "型号"), True, 64),
        Field("name", ("asset", "machine", "title", "maschine", "bezeichnung", "设备", "名称")),
        Field("serial", ("serial number", "serial no", "s/n", "seriennummer", "序列号"), most=100),
        Field("customer", ("customer id", "owner", "kunde", "客户"), refers="customers"),
        Field("site", ("location", "plant", "standort", "站点"), refers="sites"),
        Field("criticality", ("critical", "class", "kritikalität", "关键度"), check=_one_of("A", "B", "C")),
        Field("devices", ("device", "gateway", "gerät", "geräte", "传感器"), most=2000, check=_id, many=True),
    ),
    "contacts": (
        Field("id", ("contact id", "kontaktnummer", "联系人编号"), check=_id),
        Field("customer", ("customer id", "company", "kunde", "firma", "客户", "公司"), True, refers="customers"),
        Field("name", ("contact", "contact person", "person", "ansprechpartner", "kontakt", "联系人", "姓名"), True),
        Field("role", ("function", "position", "job title", "funktion", "职务"), most=100),
        Field("site", ("location", "plant", "standort", "站点"), refers="sites"),
        Field("phone", ("telephone", "tel", "mobile", "telefon", "电话"), most=64, check=_phone),
        Field("email", ("mail", "e-mail address", "邮箱", "电子邮件"), most=320, check=_email),
        Field("notes", ("remarks", "bemerkung", "备注"), most=1000),
    ),
    "technicians": (
        Field("id", ("technician id", "staff no", "personalnummer", "工号"), check=_id),
        Field("name", ("technician", "mechanic", "techniker", "技师", "姓名"), True),
        Field("phone", ("telephone", "tel", "mobile", "telefon", "电话"), most=64, check=_phone),
        Field("skills", ("skill", "trades", "qualifications", "fähigkeiten", "技能"), most=1000, many=True),
        Field("weekdays", ("days", "working days", "arbeitstage", "工作日"), most=20, check=_weekdays, many=True),
    ),
    "history": (
        Field("id", ("job id", "job no", "order no", "work order", "auftragsnummer", "工单编号"), most=64, check=_id),
        Field("asset", ("machine", "asset id", "serial number", "serial", "maschine", "anlage", "设备"), True),
        Field("date", ("day", "done on", "repaired on", "completed", "datum", "日期"), True, 40, _date),
        Field("component", ("part", "assembly", "bauteil", "部件"), most=64),
        Field("failure_mode", ("failure", "fault", "defect", "fehler", "schaden", "故障"), most=64),
        Field("result", ("label", "finding", "outcome", "befund", "结果"), most=16, check=_one_of(*RESULTS)),
        Field("found", ("what was found", "description", "symptom", "beschreibung", "描述"), most=4000),
        Field("work", ("remedy", "work done", "action", "arbeit", "massnahme", "处理"), most=1000),
        Field("replaced", ("part replaced", "exchanged", "getauscht", "更换"), most=5, check=_one_of(*YES, *NO)),
        Field("cost", ("costs", "amount", "kosten", "费用"), most=20, check=_amount),
        Field("currency", ("währung", "币种"), most=3, check=_currency),
        Field("technician", ("mechanic", "done by", "techniker", "技师")),
        Field("minutes", ("duration", "work minutes", "dauer", "分钟"), most=6, check=_minutes),
    ),
}  # fmt: skip
"""In the order in which they must be taken in: what is referred to comes first."""


def plain(text: str) -> str:
    """A header as it is compared: lower case, words divided by one space, without accents and what is in brackets."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w/]+|_", " ", re.sub(r"\([^)]*\)", " ", bare)).split())


def matched(table: str, headers: Sequence[str], meant: Mapping[str, str] | None = None) -> dict[str, str]:
    """The field that each header means; headers that mean none are left out. No field is meant twice: the header that
    is most alike has it. `meant` is a person's word, which counts first."""
    said = {h: f for h, f in (meant or {}).items() if h in headers}
    taken = {f for f in said.values() if f}
    found = {h: f for h, f in said.items() if f}
    scores = sorted(
        (
            (-_likeness(plain(header), f), n, header, f.name)
            for n, header in enumerate(headers)
            if header not in said
            for f in FIELDS[table]
        ),
        key=lambda s: s[:2],
    )
    for minus, _, header, name in scores:
        if -minus >= LIKE and header not in found and name not in taken:
            found[header] = name
            taken.add(name)
    return found


def _likeness(header: str, of: Field) -> float:
    words = (plain(of.name), *(plain(w) for w in of.also))
    if header == words[0]:
        return 2.0
    return max(1.5 if header == w else difflib.SequenceMatcher(None, header, w).ratio() for w in words)


def table_of(name: str, headers: Sequence[str]) -> str:
    """The table that a sheet holds: by its name, else by its headers; "" = none."""
    words = plain(name)
    for table in FIELDS:
        if table[:-1] in words:
            return table
    counts = {
        table: len(found)
        for table in FIELDS
        if (found := matched(table, headers)) and {f.name for f in FIELDS[table] if f.required} <= set(found.values())
    }
    return max(counts, key=lambda table: counts[table], default="")


def read(sheet: Sheet) -> tuple[list[Row], list[Fault]]:
    """The rows that are right, and every fault. Rows without a text are passed over."""
    fields = {f.name: f for f in FIELDS[sheet.table]}
    meant = matched(sheet.table, sheet.headers, sheet.meant)
    where = {meant[header]: n for n, header in enumerate(sheet.headers) if header in meant}
    faults = [
        Fault(sheet.table, 1, name, "", "no column says this, and every row needs it")
        for name, f in fields.items()
        if f.required and name not in where
    ]
    rows: list[Row] = []
    if faults:
        return rows, faults
    for number, cells in enumerate(sheet.cells, 2):
        texts = {name: cells[n].strip() for name, n in where.items() if n < len(cells) and cells[n].strip()}
        if not texts:
            continue
        wrong = [
            Fault(sheet.table, number, name, texts.get(name, ""), rule)
            for name, f in fields.items()
            if (rule := _rule(f, texts.get(name, "")))
        ]
        faults += wrong
        if not wrong:
            rows.append(Row(number, texts))
    return rows, faults


def _rule(of: Field, text: str) -> str:
    """What the cell must be; empty = it is that."""
    if not text:
        return "must not be empty" if of.required else ""
    if len(text) > of.most:
        return f"at most {of.most} characters"
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text):
        return "no control characters"
    if of.check is not None:
        for part in parts(text) if of.many else (text,):
            if rule := of.check(part):
                return rule
    return ""


def parts(text: str) -> list[str]:
    """What stands between commas or semicolons."""
    return [p for p in (part.strip() for part in re.split(r"[,;，；]", text)) if p]


def id_from(name: str, taken: Callable[[str], bool]) -> str:
    """An identifier for what came without one: its name in plain letters, numbered where that is taken."""
    bare = re.sub(r"[^a-z0-9]+", "-", plain(name).encode("ascii", "ignore").decode()).strip("-")[:56] or "no-name"
    if not taken(bare):
        return bare
    low, high = 1, 2  # thousands of one name are asked for by halves, not one after another
    while taken(f"{bare}-{high}"):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(f"{bare}-{middle}") else (low, middle)
    return f"{bare}-{high}"
