"""What pages and the HTTP API read: plain dataclasses, by Core rows; each takes a connection and a tenant."""

from work_orders.queries.assets import AssetView, asset, assets, customers, people, technicians
from work_orders.queries.cases import CaseDetail, CaseRow, DecisionRow, case, cases, findings, predictions
from work_orders.queries.figures import StoryBill, story_bill
from work_orders.queries.inbox import InboxItem, inbox
from work_orders.queries.names import in_names, names
from work_orders.queries.notices import NoticeDetail, NoticeRow, SlotChoice, notice, notices, waiting_for_answer
from work_orders.queries.notices import details as notice_details
from work_orders.queries.orders import OrderDetail, OrderRow, my_jobs, order, orders
from work_orders.queries.orders import details as order_details
from work_orders.queries.paging import Page
from work_orders.queries.timeline import Moment, timeline

__all__ = [
    "AssetView",
    "CaseDetail",
    "CaseRow",
    "DecisionRow",
    "InboxItem",
    "Moment",
    "NoticeDetail",
    "NoticeRow",
    "OrderDetail",
    "OrderRow",
    "Page",
    "SlotChoice",
    "StoryBill",
    "asset",
    "assets",
    "case",
    "cases",
    "customers",
    "findings",
    "in_names",
    "inbox",
    "my_jobs",
    "names",
    "notice",
    "notice_details",
    "notices",
    "order",
    "order_details",
    "orders",
    "people",
    "predictions",
    "story_bill",
    "technicians",
    "timeline",
    "waiting_for_answer",
]
