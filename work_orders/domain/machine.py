"""A state machine is a table: what may be done in which state, by whom, and where it leads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar


class Role(StrEnum):
    """Who acts. `SYSTEM` is the product itself, by a rule that a person has set."""

    CUSTOMER = "customer"
    TECHNICIAN = "technician"
    DISPATCHER = "dispatcher"
    ENGINEER = "engineer"
    ADMIN = "admin"
    AUDITOR = "auditor"
    INTEGRATION = "integration"
    SYSTEM = "system"


class IllegalTransition(Exception):
    """The table has no such action in this state. `allowed` names the actions that it has."""

    def __init__(self, state: str, action: str, allowed: Iterable[str]) -> None:
        self.state, self.action, self.allowed = str(state), str(action), tuple(sorted(str(a) for a in allowed))
        super().__init__(f"{action} is not possible in state {state}; possible: {', '.join(self.allowed) or 'nothing'}")


class NotPermitted(Exception):
    """The action is possible in this state, but not for this role. `roles` names who may."""

    def __init__(self, role: str, action: str, roles: Iterable[str]) -> None:
        self.role, self.action, self.roles = str(role), str(action), tuple(sorted(str(r) for r in roles))
        super().__init__(f"{role} may not {action}; {', '.join(self.roles)} may")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a name for the record, a role, and for a customer or technician whose eyes he has (`of`)."""

    name: str
    role: Role
    of: str = ""


SYSTEM = Actor("forewarn", Role.SYSTEM)

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """Where an action leads, and who may take it."""

    to: S
    roles: frozenset[Role]


@dataclass(frozen=True)
class Machine(Generic[S, A]):
    """One transition table. What it lacks raises IllegalTransition."""

    name: str
    rules: Mapping[tuple[S, A], Rule[S]]

    def allowed(self, state: S, role: Role | None = None) -> tuple[A, ...]:
        """Actions of a state, of one role if given, in the order of the table."""
        return tuple(a for (s, a), rule in self.rules.items() if s == state and (role is None or role in rule.roles))

    def step(self, state: S, action: A, role: Role) -> S:
        """The state after the action. Raises IllegalTransition, NotPermitted."""
        rule = self.rules.get((state, action))
        if rule is None:
            raise IllegalTransition(state, action, self.allowed(state))
        if role not in rule.roles:
            raise NotPermitted(role, action, rule.roles)
        return rule.to

    def final(self) -> frozenset[S]:
        """States that no action leaves."""
        return frozenset(rule.to for rule in self.rules.values()) - frozenset(s for s, _ in self.rules)


def rules(*rows: tuple[Iterable[S], A, S, Iterable[Role]]) -> dict[tuple[S, A], Rule[S]]:
    """Rules from rows (from states, action, to state, roles); a pair given twice is a fault of the table."""
    table: dict[tuple[S, A], Rule[S]] = {}
    for sources, action, to, roles in rows:
        for source in sources:
            if (source, action) in table:
                raise ValueError(f"{source} {action} is given twice")
            table[source, action] = Rule(to, frozenset(roles))
    return table
