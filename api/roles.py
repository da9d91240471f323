"""Who a request comes from."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may see and do; `api.access` says which routes."""

    CUSTOMER = "customer"
    TECHNICIAN = "technician"
    DISPATCHER = "dispatcher"
    ENGINEER = "engineer"
    ADMIN = "admin"


OFFICE = frozenset({Role.DISPATCHER, Role.ENGINEER, Role.ADMIN})
"""They see all of their tenant; customers and technicians only what is theirs."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person or an API key."""

    tenant: str
    role: Role
    subject: str
    """Id of the customer or technician that the account stands for; empty for the office."""
    account: str
    """Id of the account, or `key:` and the id of the key."""
    name: str
    csrf: str | None
    """Token that forms of this session carry; None for API keys, which browsers do not send by themselves."""

    @property
    def actor(self) -> str:
        """How the audit chain names this principal."""
        return f"{self.role}:{self.subject or self.account}"

    @property
    def sees_all(self) -> bool:
        """Whether all of the tenant is open to reading."""
        return self.role in OFFICE
