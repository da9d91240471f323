"""Timelines by an index: which audit entries are about a customer or his machines; open work by customer."""

import json

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0008_moments"
down_revision = "work_orders_0007_work"

_AT_ONCE = 1000


def upgrade() -> None:
    """Make the table and two indexes, take in the entries that are there."""
    op.create_table(
        "work_orders_moments",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
    )
    op.create_index("work_orders_moments_by_customer", "work_orders_moments", ["tenant", "customer_id", "seq"])
    for table, over in (("cases", "closed_at"), ("orders", "ended_at")):
        op.create_index(
            f"work_orders_open_{table}_by_customer", f"work_orders_{table}", ["tenant", "customer_id"],
            sqlite_where=sa.text(f"{over} IS NULL"), postgresql_where=sa.text(f"{over} IS NULL"),
        )  # fmt: skip
    _take_in(op.get_bind())


def _take_in(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("SELECT tenant, id, customer_id FROM work_orders_assets"))
    owners = {(r.tenant, r.id): r.customer_id for r in rows if r.customer_id}
    if not owners:
        return
    into = sa.text(
        "INSERT INTO work_orders_moments (tenant, seq, asset_id, customer_id) VALUES (:tenant, :seq, :asset, :customer)"
    )
    page = sa.text(
        "SELECT seq, diff FROM audit_entries WHERE tenant = :tenant AND seq > :after ORDER BY seq LIMIT :most"
    )
    for tenant in sorted({of for of, _ in owners}):
        after = 0
        while some := connection.execute(page, {"tenant": tenant, "after": after, "most": _AT_ONCE}).all():
            after = some[-1].seq
            found = [
                {"tenant": tenant, "seq": e.seq, "asset": asset, "customer": owners[tenant, asset]}
                for e in some
                if (tenant, asset := json.loads(e.diff).get("asset", "")) in owners
            ]
            if found:
                connection.execute(into, found)
