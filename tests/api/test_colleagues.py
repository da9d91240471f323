"""Who of the colleagues has which mail address."""

from __future__ import annotations

from api import service
from api.colleagues import addresses_of
from api.roles import Principal, Role
from tests.api.company import TENANT, Company


def test_a_role_or_a_person_has_the_addresses_of_the_open_accounts(company: Company) -> None:
    database, wall = company.shared.database, company.web.wall()
    anna = Principal(TENANT, Role.ADMIN, "", "anna", "Anna", None)

    def add(role: str, name: str, email: str, subject: str = "") -> str:
        return service.add_account(database, wall, anna, wall, role, subject, name, email).id

    add("dispatcher", "Dora", "dora@example.org")
    gone = add("dispatcher", "Dan", "dan@example.org")
    add("technician", "Tom", "tom@example.org", "tom")
    add("customer", "Ida", "ida@example.org", "waterworks")
    service.close_account(database, wall, anna, wall, gone)
    with database.read() as connection:
        for who, expected in (
            ("dispatcher", ["dora@example.org"]), ("Dora", ["dora@example.org"]), ("tom", ["tom@example.org"]),
            ("engineer", []), ("customer", []), ("Ida", []), ("waterworks", []), ("admin", []),
            ("chief@example.org", ["chief@example.org"]),
        ):  # fmt: skip
            assert addresses_of(connection, TENANT, who) == expected, who
        assert addresses_of(connection, "elsewhere", "dispatcher") == []
