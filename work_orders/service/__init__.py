"""What may be asked of work_orders: each function is one transaction, callable from any process."""

from work_orders.service.answers import (
    accept_notice,
    ask_for_call,
    ask_other_day,
    call_off_visit,
    decline_notice,
    open_notice,
    propose_day,
    stop_notice,
)
from work_orders.service.due import tick
from work_orders.service.findings import record_finding, report_breakdown
from work_orders.service.installed_base import (
    add_asset,
    add_customer,
    add_site,
    add_technician,
    block_half_days,
    free_half_day,
    set_autonomy,
    set_policy,
)
from work_orders.service.intake import take_alarm, take_prediction
from work_orders.service.order_steps import task_action
from work_orders.service.orders import approve_proposal, order_action, reject_proposal
from work_orders.service.planning import assign_technician, book_visit, offer_again
from work_orders.service.shelving import end_being_worked_on, start_being_worked_on

__all__ = [
    "accept_notice",
    "add_asset",
    "add_customer",
    "add_site",
    "add_technician",
    "approve_proposal",
    "ask_for_call",
    "ask_other_day",
    "assign_technician",
    "block_half_days",
    "book_visit",
    "call_off_visit",
    "decline_notice",
    "end_being_worked_on",
    "free_half_day",
    "offer_again",
    "open_notice",
    "order_action",
    "propose_day",
    "record_finding",
    "reject_proposal",
    "report_breakdown",
    "set_autonomy",
    "set_policy",
    "start_being_worked_on",
    "stop_notice",
    "take_alarm",
    "take_prediction",
    "task_action",
    "tick",
]
