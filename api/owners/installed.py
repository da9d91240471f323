"""The installed base: customers, sites, machines and technicians, taken in and told as tables."""

from collections.abc import Sequence

from api.owners.commands import actor_of, refusals
from api.problems import Problem, bad_field
from api.roles import Principal
from plumbing.runtime import Shared
from work_orders.adapters.sheets import BadSheet, Read, apart
from work_orders.domain.base_fields import FIELDS, Sheet, matched, table_of
from work_orders.queries.installed import TABLES, PastJob, Person, base_table, past_jobs, people_of
from work_orders.service.base_import import take_base
from work_orders.service.base_plan import Taken

__all__ = ["FIELDS", "TABLES", "Base", "Read", "Sheet", "Taken", "matched", "table_of"]


class Base:
    """Questions and one command."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def rows(self, who: Principal, table: str) -> list[dict[str, str]]:
        """A table by id. Raises Problem."""
        if table not in TABLES:
            raise bad_field("table", table, f"one of {', '.join(TABLES)}")
        with self._shared.database.read() as connection:
            return base_table(connection, who.tenant, table)

    def past(self, who: Principal, asset: str) -> list[PastJob]:
        """Jobs at a machine of before Forewarn, as colleagues may see them."""
        if not who.sees_all:
            return []
        with self._shared.database.read() as connection:
            return past_jobs(connection, who.tenant, asset)

    def people(self, who: Principal, customer: str) -> list[Person]:
        """Whom one talks to at a customer."""
        with self._shared.database.read() as connection:
            return people_of(connection, who.tenant, customer)

    def sheets(self, name: str, data: bytes) -> list[Read]:
        """The tables of a file. Raises Problem."""
        try:
            return apart(name, data)
        except BadSheet as bad:
            raise Problem(422, f"{bad}.", field="file", rule=str(bad)) from None

    def take(self, who: Principal, sheets: Sequence[Sheet], *, dry_run: bool) -> Taken:
        """Take tables in, or try to. Raises Problem."""
        with refusals():
            return take_base(self._shared, who.tenant, sheets, actor_of(self._shared, who), dry_run=dry_run)


def sheet_of(table: str, rows: Sequence[dict[str, str]]) -> Sheet:
    """A table out of objects whose keys are the fields' names. Raises Problem."""
    known = {f.name for f in FIELDS[table]}
    headers = list(dict.fromkeys(key for row in rows for key in row))
    for key in headers:
        if key not in known:
            raise bad_field(f"{table}.{key}", "", f"a field of {table}: {', '.join(sorted(known))}")
    return Sheet(table, tuple(headers), [[row.get(h, "") for h in headers] for row in rows], {h: h for h in headers})
