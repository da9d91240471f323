"""The tables of work_orders through time, and the views that stand on them now: `plumbing.migrate` makes those anew
whenever they, or the tables below, change."""

from work_orders.service.measures import views

__all__ = ["views"]
