"""States of a case, of the intake of a prediction, of a visit and of a message."""

from enum import StrEnum

from work_orders.domain.machine import Machine, Role, rules


class CaseState(StrEnum):
    """Where a case stands."""

    DETECTED = "detected"
    TRIAGING = "triaging"
    MONITORING = "monitoring"
    REMOTE_FIX = "remote_fix"
    PROPOSED = "proposed"
    CUSTOMER_CONTACTED = "customer_contacted"
    REMINDED = "reminded"
    NO_REPLY = "no_reply"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WORK_ORDERED = "work_ordered"
    RESOLVED = "resolved"
    VERIFYING = "verifying"
    CLOSED = "closed"
    MERGED = "merged"


class CaseAction(StrEnum):
    """What moves a case."""

    TRIAGE = "triage"
    MONITOR = "monitor"
    FIX_REMOTELY = "fix_remotely"
    PROPOSE = "propose"
    CONTACT = "contact"
    ACCEPT = "accept"
    DECLINE = "decline"
    REMIND = "remind"
    GIVE_UP_WAITING = "give_up_waiting"
    ORDER_WORK = "order_work"
    STAND_DOWN = "stand_down"
    RESOLVE = "resolve"
    VERIFY = "verify"
    CLOSE = "close"
    CLEAR = "clear"
    REOPEN = "reopen"
    MERGE = "merge"
    UNMERGE = "unmerge"


_S, _A = CaseState, CaseAction
_OFFICE = (Role.DISPATCHER, Role.ADMIN)
_RULE = (Role.SYSTEM, *_OFFICE)
_ANSWER = (Role.CUSTOMER, *_OFFICE)
_WAITING = (_S.CUSTOMER_CONTACTED, _S.REMINDED, _S.NO_REPLY)
_BEFORE_WORK = (_S.DETECTED, _S.TRIAGING, _S.MONITORING, _S.REMOTE_FIX, _S.PROPOSED, *_WAITING, _S.DECLINED)
_OPEN = (*_BEFORE_WORK, _S.ACCEPTED, _S.WORK_ORDERED)
OPEN_CASES = (*_OPEN, _S.RESOLVED, _S.VERIFYING)

CASE = Machine(
    "case",
    rules(
        ((_S.DETECTED,), _A.TRIAGE, _S.TRIAGING, _RULE),
        ((_S.TRIAGING,), _A.MONITOR, _S.MONITORING, _RULE),
        ((_S.TRIAGING, _S.MONITORING), _A.FIX_REMOTELY, _S.REMOTE_FIX, (Role.ENGINEER, *_RULE)),
        ((_S.REMOTE_FIX,), _A.MONITOR, _S.MONITORING, (Role.ENGINEER, *_RULE)),
        ((_S.TRIAGING, _S.MONITORING, _S.REMOTE_FIX), _A.PROPOSE, _S.PROPOSED, _RULE),
        ((_S.PROPOSED,), _A.CONTACT, _S.CUSTOMER_CONTACTED, _RULE),
        (_WAITING, _A.ACCEPT, _S.ACCEPTED, _ANSWER),
        (_WAITING, _A.DECLINE, _S.DECLINED, _ANSWER),
        ((_S.CUSTOMER_CONTACTED,), _A.REMIND, _S.REMINDED, _RULE),
        ((_S.REMINDED,), _A.GIVE_UP_WAITING, _S.NO_REPLY, _RULE),
        ((_S.ACCEPTED, _S.PROPOSED), _A.ORDER_WORK, _S.WORK_ORDERED, (Role.CUSTOMER, *_RULE)),
        # the order was refused or taken back: watch on, the decision stays latched; what was declined broke down
        ((_S.PROPOSED, *_WAITING, _S.DECLINED, _S.ACCEPTED, _S.WORK_ORDERED), _A.STAND_DOWN, _S.MONITORING, _RULE),
        (_OPEN, _A.RESOLVE, _S.RESOLVED, (Role.TECHNICIAN, Role.INTEGRATION, Role.CUSTOMER, *_RULE)),
        (_BEFORE_WORK, _A.CLEAR, _S.CLOSED, _RULE),
        ((_S.RESOLVED,), _A.VERIFY, _S.VERIFYING, _RULE),
        ((_S.RESOLVED, _S.VERIFYING), _A.CLOSE, _S.CLOSED,
         (Role.TECHNICIAN, Role.INTEGRATION, Role.CUSTOMER, *_RULE)),
        ((_S.CLOSED, _S.VERIFYING), _A.REOPEN, _S.TRIAGING, _RULE),
        (_BEFORE_WORK, _A.MERGE, _S.MERGED, _OFFICE),
        ((_S.MERGED,), _A.UNMERGE, _S.TRIAGING, _OFFICE),
    ),
)  # fmt: skip


class IntakeState(StrEnum):
    """What became of a prediction here. The prediction itself never changes."""

    ISSUED = "issued"
    LINKED = "linked"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"


class IntakeAction(StrEnum):
    """What is done with a prediction that came in."""

    LINK = "link"
    SUPPRESS = "suppress"
    EXPIRE = "expire"


INTAKE = Machine(
    "prediction intake",
    rules(
        ((IntakeState.ISSUED,), IntakeAction.LINK, IntakeState.LINKED, (Role.SYSTEM,)),
        ((IntakeState.ISSUED,), IntakeAction.SUPPRESS, IntakeState.SUPPRESSED, (Role.SYSTEM,)),
        ((IntakeState.ISSUED,), IntakeAction.EXPIRE, IntakeState.EXPIRED, (Role.SYSTEM,)),
    ),
)


class VisitState(StrEnum):
    """Where a technician's visit stands."""

    TENTATIVE = "tentative"
    OFFERED = "offered"
    CONFIRMED = "confirmed"
    RESCHEDULE_REQUESTED = "reschedule_requested"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EN_ROUTE = "en_route"
    ON_SITE = "on_site"
    DONE = "done"
    NO_ACCESS = "no_access"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"


class VisitAction(StrEnum):
    """What moves a visit."""

    OFFER = "offer"
    CONFIRM = "confirm"
    ASK_RESCHEDULE = "ask_reschedule"
    DISPATCH = "dispatch"
    ACCEPT = "accept"
    REJECT = "reject"
    SET_OUT = "set_out"
    ARRIVE = "arrive"
    FINISH = "finish"
    FIND_NO_ACCESS = "find_no_access"
    BREAK_OFF = "break_off"
    CANCEL = "cancel"


_V, _B = VisitState, VisitAction
_FIELD = (Role.TECHNICIAN, *_OFFICE)
MOVABLE = (_V.CONFIRMED, _V.DISPATCHED, _V.ACCEPTED)
"""While it is one of these, nobody is on the way: the customer may want another day, or none."""
VISIT = Machine(
    "visit",
    rules(
        ((_V.TENTATIVE, _V.RESCHEDULE_REQUESTED), _B.OFFER, _V.OFFERED, _RULE),
        ((_V.TENTATIVE, _V.OFFERED), _B.CONFIRM, _V.CONFIRMED, (Role.CUSTOMER, *_RULE)),
        (MOVABLE, _B.ASK_RESCHEDULE, _V.RESCHEDULE_REQUESTED, (Role.CUSTOMER, *_OFFICE)),
        ((_V.CONFIRMED,), _B.DISPATCH, _V.DISPATCHED, (Role.CUSTOMER, *_RULE)),
        ((_V.DISPATCHED,), _B.ACCEPT, _V.ACCEPTED, _FIELD),
        ((_V.DISPATCHED,), _B.REJECT, _V.REJECTED, _FIELD),
        ((_V.ACCEPTED,), _B.SET_OUT, _V.EN_ROUTE, _FIELD),
        # also where nobody has taken up the wish for another day
        ((_V.DISPATCHED, _V.ACCEPTED, _V.EN_ROUTE, _V.RESCHEDULE_REQUESTED), _B.ARRIVE, _V.ON_SITE, _FIELD),
        ((_V.ON_SITE,), _B.FINISH, _V.DONE, _FIELD),
        ((_V.DISPATCHED, _V.ACCEPTED, _V.EN_ROUTE, _V.ON_SITE), _B.FIND_NO_ACCESS, _V.NO_ACCESS, _FIELD),
        ((_V.DISPATCHED, _V.ACCEPTED, _V.EN_ROUTE, _V.ON_SITE), _B.BREAK_OFF, _V.INCOMPLETE, _FIELD),
        ((_V.TENTATIVE, _V.OFFERED, _V.CONFIRMED, _V.RESCHEDULE_REQUESTED, _V.DISPATCHED, _V.ACCEPTED),
         _B.CANCEL, _V.CANCELLED, (Role.CUSTOMER, Role.TECHNICIAN, *_RULE)),
    ),
)  # fmt: skip


class NoticeState(StrEnum):
    """Where a message to a customer stands."""

    QUEUED = "queued"
    HELD = "held"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    ANSWERED = "answered"
    BOUNCED = "bounced"
    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected"


class NoticeAction(StrEnum):
    """What moves a message."""

    HOLD = "hold"
    RELEASE = "release"
    SEND = "send"
    DELIVER = "deliver"
    OPEN = "open"
    ANSWER = "answer"
    OFFER_AGAIN = "offer_again"
    BOUNCE = "bounce"
    NEXT_CHANNEL = "next_channel"
    WITHDRAW = "withdraw"
    CORRECT = "correct"


_N, _C = NoticeState, NoticeAction
OUT = (_N.SENT, _N.DELIVERED, _N.READ)
NOT_YET_SENT = (_N.QUEUED, _N.HELD)
NOTICE = Machine(
    "notice",
    rules(
        ((_N.QUEUED,), _C.HOLD, _N.HELD, _RULE),
        ((_N.HELD,), _C.RELEASE, _N.QUEUED, _RULE),
        ((_N.QUEUED,), _C.SEND, _N.SENT, (Role.SYSTEM,)),
        ((_N.SENT,), _C.DELIVER, _N.DELIVERED, (Role.SYSTEM,)),
        ((_N.SENT, _N.DELIVERED), _C.OPEN, _N.READ, (Role.CUSTOMER,)),
        (OUT, _C.ANSWER, _N.ANSWERED, _ANSWER),
        ((_N.ANSWERED,), _C.OFFER_AGAIN, _N.SENT, _OFFICE),
        ((_N.SENT, _N.DELIVERED), _C.BOUNCE, _N.BOUNCED, (Role.SYSTEM,)),
        ((_N.BOUNCED,), _C.NEXT_CHANNEL, _N.QUEUED, (Role.SYSTEM,)),
        (NOT_YET_SENT, _C.WITHDRAW, _N.WITHDRAWN, _RULE),
        ((*OUT, _N.ANSWERED, _N.BOUNCED), _C.CORRECT, _N.CORRECTED, _RULE),
    ),
)


class TaskState(StrEnum):
    """Where one step of a checklist stands."""

    OPEN = "open"
    DOING = "doing"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class TaskAction(StrEnum):
    """What is done with a step."""

    BEGIN = "begin"
    DO = "do"
    SKIP = "skip"
    FAIL = "fail"


TASK = Machine(
    "task",
    rules(
        ((TaskState.OPEN,), TaskAction.BEGIN, TaskState.DOING, _FIELD),
        ((TaskState.OPEN, TaskState.DOING), TaskAction.DO, TaskState.DONE, _FIELD),
        ((TaskState.OPEN, TaskState.DOING), TaskAction.SKIP, TaskState.SKIPPED, _FIELD),
        ((TaskState.OPEN, TaskState.DOING), TaskAction.FAIL, TaskState.FAILED, _FIELD),
    ),
)
