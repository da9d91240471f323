"""The tables of work_orders through time, and the views that stand on them now: `plumbing.migrate` makes those anew
whenever they, or the tables below, change."""

from work_orders.service.measures import views

__all__ = ["TABLES", "views"]

TABLES = (
    "work_orders.service.tables",
    "work_orders.service.door_tables",
    "work_orders.service.work_tables",
    "work_orders.service.autonomy_tables",
    "work_orders.service.remote_tables",
    "work_orders.service.aftercare_tables",
    "work_orders.service.arrival_tables",
    "work_orders.service.feedback_tables",
    "work_orders.service.history_tables",
    "work_orders.service.message_tables",
    "work_orders.service.letter_tables",
    "work_orders.service.sla_tables",
    "work_orders.service.plan_tables",
    "work_orders.service.webhook_tables",
    "work_orders.service.moment_tables",
)
"""Modules that hold the tables as they are now."""
