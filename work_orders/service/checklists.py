"""What the steps of a checklist must have before the work can be called done, and which of them failed."""

from work_orders.domain.case_states import TaskState
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.unit import Row, Unit


def steps_of(work: Unit, order_id: str) -> list[Row]:
    """The steps of an order, in order."""
    return sorted(work.all(t.tasks, t.tasks.c.order_id == order_id), key=lambda r: int(r.n))


def check_steps(work: Unit, order_id: str) -> None:
    """Raises BadInput while a required step is open."""
    left = [r for r in steps_of(work, order_id) if r.required and r.state in (TaskState.OPEN, TaskState.DOING)]
    if left:
        raise BadInput("steps", f"still open: {'; '.join(f'{r.n}. {r.text}' for r in left)}")


def failed_steps(work: Unit, order_id: str) -> list[str]:
    """What failed, in words."""
    return [f"{r.text}: {r.result}" for r in steps_of(work, order_id) if r.state == TaskState.FAILED]
