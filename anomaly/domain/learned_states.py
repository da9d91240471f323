"""From where to where a learned model may go: tried beside the live one before anybody acts on what it says."""

from enum import StrEnum


class LearnedState(StrEnum):
    """Where a learned model stands."""

    CANDIDATE = "candidate"
    """Fitted; says nothing yet."""
    SHADOW = "shadow"
    """Its forecasts are stored beside the live ones, and nobody acts on them."""
    LIVE = "live"
    """Its forecasts are acted on."""
    RETIRED = "retired"


class Kind(StrEnum):
    """What a learned model tells. Of each kind one is live for an asset model."""

    LIFE = "life"
    """How long a machine goes on, by its readings."""
    EVENTS = "events"
    """Which component fails how soon, by errors, work and age: a hazard."""


class LearnedAction(StrEnum):
    """What may be done with one."""

    TRY = "try"
    PROMOTE = "promote"
    REPLACE = "replace"
    """A better one takes its place."""
    WITHDRAW = "withdraw"
    RESTORE = "restore"


TRANSITIONS = {
    (LearnedState.CANDIDATE, LearnedAction.TRY): LearnedState.SHADOW,
    (LearnedState.CANDIDATE, LearnedAction.WITHDRAW): LearnedState.RETIRED,
    (LearnedState.SHADOW, LearnedAction.PROMOTE): LearnedState.LIVE,
    (LearnedState.SHADOW, LearnedAction.WITHDRAW): LearnedState.RETIRED,
    (LearnedState.LIVE, LearnedAction.REPLACE): LearnedState.RETIRED,
    (LearnedState.LIVE, LearnedAction.WITHDRAW): LearnedState.RETIRED,
    (LearnedState.RETIRED, LearnedAction.RESTORE): LearnedState.LIVE,
}


class IllegalMove(Exception):
    """The table has no such action in this state. `allowed` names the actions that it has."""

    def __init__(self, state: LearnedState, action: LearnedAction) -> None:
        self.state, self.action = state, action
        self.allowed = tuple(str(a) for s, a in TRANSITIONS if s is state)
        super().__init__(f"{action} is not possible in state {state}; possible: {', '.join(self.allowed) or 'nothing'}")


def step(state: LearnedState, action: LearnedAction) -> LearnedState:
    """The state after the action. Raises IllegalMove."""
    found = TRANSITIONS.get((state, action))
    if found is None:
        raise IllegalMove(state, action)
    return found
