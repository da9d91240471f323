"""What becomes of a device in the registry: its states, and what leads from one to another."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a device stands.

    `created`: registered, its secret given out by hand. `claimed`: it fetched a secret of its own with a one-time
    code. `active`: something was heard from it. `suspended`: not let in until it is resumed. `revoked`: not let in
    any more; final.
    """

    CREATED = "created"
    CLAIMED = "claimed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Action(StrEnum):
    """What can happen to a device."""

    CLAIM = "claim"
    HEAR = "hear"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


LET_IN = frozenset({State.CREATED, State.CLAIMED, State.ACTIVE})
"""States in which the brokers take a connection."""

TRANSITIONS: Mapping[State, Mapping[Action, State]] = {
    State.CREATED: {
        Action.CLAIM: State.CLAIMED,
        Action.HEAR: State.ACTIVE,
        Action.SUSPEND: State.SUSPENDED,
        Action.REVOKE: State.REVOKED,
    },
    State.CLAIMED: {
        Action.CLAIM: State.CLAIMED,
        Action.HEAR: State.ACTIVE,
        Action.SUSPEND: State.SUSPENDED,
        Action.REVOKE: State.REVOKED,
    },
    State.ACTIVE: {
        Action.CLAIM: State.CLAIMED,
        Action.HEAR: State.ACTIVE,
        Action.SUSPEND: State.SUSPENDED,
        Action.REVOKE: State.REVOKED,
    },
    # what was on its way when it was suspended is stored, and changes nothing
    State.SUSPENDED: {Action.HEAR: State.SUSPENDED, Action.RESUME: State.CREATED, Action.REVOKE: State.REVOKED},
    State.REVOKED: {Action.HEAR: State.REVOKED},
}
"""A resumed device is `created` until it is heard again, which takes as long as its next message."""


class IllegalTransition(Exception):
    """This cannot happen to a device in this state; `allowed` is what can be asked for."""

    def __init__(self, state: State, action: Action) -> None:
        self.state, self.action = state, action
        self.allowed = tuple(sorted(str(a) for a in TRANSITIONS[state] if a is not Action.HEAR))
        can = ", ".join(self.allowed) or "nothing"
        super().__init__(f"a device that is {state} cannot take {str(action)!r}; it can take: {can}")


def after(state: State, action: Action) -> State:
    """The state that follows. Raises IllegalTransition."""
    try:
        return TRANSITIONS[state][action]
    except KeyError:
        raise IllegalTransition(state, action) from None
