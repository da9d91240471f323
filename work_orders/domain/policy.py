"""What a tenant may set about how it serves its customers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are of the tenant's clock."""

    company: str = "Your service partner"
    phone: str = ""
    cooling_off_minutes: float = 30.0
    """A notice can be stopped for so long before it leaves."""
    answer_hours: float = 24.0
    """Without an answer a reminder follows."""
    reminder_hours: float = 24.0
    """Without an answer to the reminder it is the dispatcher's."""
    approval_limit: float = 10_000.0
    """Planned visits that cost more need a dispatcher, in the model's currency."""
    brake_per_100: float = 10.0
    """Orders per 100 assets and day that may be opened without a person."""
    stale_hours: float = 168.0
    """A forecast that is older when it arrives has expired."""
    again_lead_hours: float = 4.0
    """A new offer begins so long from now at the earliest."""
    shelve_hours: float = 12.0
    """Alarms of a machine under work come back after so long at the latest."""
    feedback_owner: str = ""
    """Who sees to bad feedback; empty = nobody, until somebody takes it."""
    feedback_days: int = 3
    """Within so many days."""
