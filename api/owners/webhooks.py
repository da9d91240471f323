"""Webhooks of a tenant, for its admins."""

from collections.abc import Sequence

from api.owners.commands import actor_of, refusals
from api.problems import not_found
from api.roles import Principal, Role
from api.views import Chore
from plumbing.runtime import Shared
from work_orders.domain.webhooks import Reach
from work_orders.queries.webhooks import DeliveryRow, WebhookRow, delivery_rows, webhook_rows
from work_orders.service.webhooks import Made, add_webhook, move_webhook


class Webhooks:
    """Questions and commands."""

    def __init__(self, shared: Shared, reach: Reach | None = None) -> None:
        self._shared, self._reach = shared, reach or Reach()

    def all(self, who: Principal) -> list[WebhookRow]:
        with self._shared.database.read() as connection:
            return webhook_rows(connection, who.tenant)

    def chores(self, who: Principal) -> list[Chore]:
        """Webhooks that were disabled: for admins, who alone can mend it."""
        if who.role is not Role.ADMIN:
            return []
        return [
            Chore(
                "webhook", w.id, f"No more events go to {w.url}",
                f"Since {w.failing_since:%Y-%m-%d %H:%M} UTC nothing was taken there: {w.last_error}."
                f" {w.waiting} events wait.", "/webhooks", f"/webhooks/{w.id}/resume",
                {"version": str(w.version)}, "Try again", w.failing_since,
            )
            for w in self.all(who) if w.state == "disabled" and w.failing_since is not None
        ]  # fmt: skip

    def one(self, who: Principal, id: str) -> WebhookRow:
        """Raises Problem."""
        found = [w for w in self.all(who) if w.id == id]
        if not found:
            raise not_found("webhook")
        return found[0]

    def deliveries(self, who: Principal, id: str, state: str, after: int, limit: int) -> list[DeliveryRow]:
        """Raises Problem."""
        self.one(who, id)
        with self._shared.database.read() as connection:
            return delivery_rows(connection, who.tenant, id, state=state, after=after, limit=limit)

    def add(self, who: Principal, url: str, types: Sequence[str], key: str = "") -> Made:
        """Raises Problem."""
        with refusals():
            actor = actor_of(self._shared, who)
            return add_webhook(self._shared, who.tenant, url.strip(), types, actor, key=key, reach=self._reach)

    def move(self, who: Principal, id: str, action: str, version: int | None, after: int) -> Made:
        """Raises Problem."""
        with refusals():
            return move_webhook(
                self._shared, who.tenant, id, action, actor_of(self._shared, who), version=version, after=after
            )
