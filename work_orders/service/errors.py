"""What a request to this service can be refused with. States and permissions: `domain.machine`."""

from collections.abc import Iterable


class WorkOrdersError(Exception):
    """Root of this package's own errors."""


class NotFound(WorkOrdersError):
    """There is nothing of that name for whoever asks (another customer's is not found either)."""

    def __init__(self, what: str, id: str) -> None:
        super().__init__(f"there is no {what} {id}")
        self.what, self.id = what, id


class UnknownModel(WorkOrdersError):
    """No asset model of that name is installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no asset model {name}")
        self.name = name


class BadInput(WorkOrdersError):
    """A field cannot be taken; `field` and `rule` say which and why."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule = field, rule


class Stale(WorkOrdersError):
    """Somebody else changed it since the caller looked."""

    def __init__(self, id: str, seen: int, is_now: int) -> None:
        super().__init__(f"{id} has changed: version {is_now}, you saw {seen}")
        self.id, self.seen, self.is_now = id, seen, is_now


class SlotTaken(WorkOrdersError):
    """The half day has passed or nobody is free any more; `left` counts the half days that can still be chosen."""

    def __init__(self, slot: str, why: str, left: int) -> None:
        super().__init__(f"{slot} {why}")
        self.slot, self.why, self.left = slot, why, left


class CannotAssign(WorkOrdersError):
    """Why this technician cannot come: skill, calendar or another booking."""

    def __init__(self, technician: str, reasons: Iterable[str]) -> None:
        self.technician, self.reasons = technician, tuple(reasons)
        super().__init__(f"{technician} cannot come: {'; '.join(self.reasons)}")


class FindingMissing(WorkOrdersError):
    """A work order cannot be closed without a finding."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"{order_id} has no finding yet")
        self.order_id = order_id
