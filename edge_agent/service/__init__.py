"""What an agent does, and what it needs for it."""

from edge_agent.service.agent import BACKLOG_RATE, BATCH, Agent, Counters
from edge_agent.service.ports import (
    Appended,
    Driver,
    EdgeAgentError,
    Outbox,
    OutboxDamaged,
    OutboxUnwritable,
    Publish,
    Row,
)

__all__ = [
    "BACKLOG_RATE",
    "BATCH",
    "Agent",
    "Appended",
    "Counters",
    "Driver",
    "EdgeAgentError",
    "Outbox",
    "OutboxDamaged",
    "OutboxUnwritable",
    "Publish",
    "Row",
]
