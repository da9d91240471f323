"""BACnet/IP by bacpypes3: reads present values, takes notifications of changes. Imported when a driver connects.

bacpypes3 raises a device's refusal as BaseException; none of them leaves this module.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bacpypes3.apdu import AbortPDU, ErrorRejectAbortNack, SimpleAckPDU, SubscribeCOVRequest
from bacpypes3.basetypes import BinaryPV
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import Address, IPv4Address
from bacpypes3.primitivedata import ObjectIdentifier
from bacpypes3.vendor import get_vendor_info

from edge_agent.domain.driving import Cell

VENDOR = 999
"""The vendor number for examples; a client's has no meaning to the devices that it reads."""
INSTANCE = 4_194_302
"""Highest device instance that is no wildcard (ASHRAE 135, clause 12.11): nobody asks us for anything."""
PRESENT_VALUE, STATUS_FLAGS = "present-value", "status-flags"
FAULT, OUT_OF_SERVICE = 1, 3
"""Bits of status-flags (ASHRAE 135, clause 12: in-alarm, fault, overridden, out-of-service)."""
NO_ANSWER = "no-response"

Values = Mapping[str, Cell | Exception]
"""By object: its value, or ValueError with the reason why there is none."""


class NoAnswer(Exception):
    """The device does not answer."""


class Refused(Exception):
    """The device answered that it will not; the text is its word for why."""


class BacnetLink:
    """Our own end on the network. Must be made in a running event loop; `on_change` runs on it.

    Parameters
    ----------
    local
        `address/mask:port` of this machine; 0.0.0.0:0 = whichever, any free port.
    timeout, retries
        Seconds to wait for an answer, and how often a request is sent again.
    on_change
        Told an object's identifier, the device's address and what it says now.
    """

    def __init__(
        self, local: str, timeout: float, retries: int, on_change: Callable[[str, str, Cell | Exception], None]
    ) -> None:
        logging.getLogger("bacpypes3").setLevel(logging.CRITICAL)  # what goes wrong is said in `problem`
        device = DeviceObject(
            objectIdentifier=("device", INSTANCE), objectName="forewarn-agent", vendorIdentifier=VENDOR,
            apduTimeout=round(timeout * 1000), numberOfApduRetries=retries,
        )  # fmt: skip
        self._app = NormalApplication(device, IPv4Address(local))
        self._app.do_UnconfirmedCOVNotificationRequest = self._notified
        self._app.do_ConfirmedCOVNotificationRequest = self._notified_confirmed
        self._on_change = on_change

    def close(self) -> None:
        """Let go of the port."""
        self._app.close()

    async def read(self, address: str, objects: Sequence[str]) -> Values:
        """Present values of objects of one device, in one request. Raises NoAnswer, Refused."""
        wanted: list[Any] = []
        for name in objects:
            wanted += [ObjectIdentifier(name), [PRESENT_VALUE, STATUS_FLAGS]]
        answer = await self._asked(self._app.read_property_multiple(Address(address), wanted))
        found: dict[str, dict[str, Any]] = {}
        for identifier, prop, _, value in answer or ():
            found.setdefault(str(identifier), {})[str(prop)] = value
        by_name = {name: found.get(str(ObjectIdentifier(name)), {}) for name in objects}
        return {name: _value(said.get(PRESENT_VALUE), said.get(STATUS_FLAGS)) for name, said in by_name.items()}

    async def read_singly(self, address: str, objects: Sequence[str]) -> Values:
        """The same, a request for each property: for devices that cannot do more. Raises NoAnswer."""
        values: dict[str, Cell | Exception] = {}
        for name in objects:
            try:
                value = await self._asked(self._app.read_property(Address(address), name, PRESENT_VALUE))
            except Refused as refused:
                values[name] = ValueError(str(refused))
                continue
            try:
                flags = await self._asked(self._app.read_property(Address(address), name, STATUS_FLAGS))
            except Refused:
                flags = None
            values[name] = _value(value, flags)
        return values

    async def subscribe(self, address: str, name: str, number: int, lifetime: int) -> None:
        """Ask for notifications of changes for so many seconds. Raises NoAnswer, Refused."""
        request = SubscribeCOVRequest(
            subscriberProcessIdentifier=number, monitoredObjectIdentifier=ObjectIdentifier(name),
            issueConfirmedNotifications=False, lifetime=lifetime, destination=Address(address),
        )  # fmt: skip
        await self._asked(self._app.request(request))

    async def _asked(self, request: Any) -> Any:
        try:
            answer = await request
        except ErrorRejectAbortNack as failure:
            answer = failure
        if not isinstance(answer, ErrorRejectAbortNack):
            return answer
        if isinstance(answer, AbortPDU) and str(answer) == NO_ANSWER:
            raise NoAnswer("does not answer") from None
        raise Refused(f"the device says {answer}") from None

    async def _notified(self, apdu: Any) -> None:
        said: dict[str, Any] = {}
        kind = get_vendor_info(0).get_object_class(apdu.monitoredObjectIdentifier[0])
        for change in apdu.listOfValues:
            of = kind.get_property_type(change.propertyIdentifier) if kind is not None else None
            if of is not None:
                said[str(change.propertyIdentifier)] = change.value.cast_out(of)
        value = _value(said.get(PRESENT_VALUE), said.get(STATUS_FLAGS))
        self._on_change(str(apdu.monitoredObjectIdentifier), str(apdu.pduSource), value)

    async def _notified_confirmed(self, apdu: Any) -> None:
        await self._notified(apdu)
        await self._app.response(SimpleAckPDU(context=apdu))


def canonical(name: str, address: str) -> tuple[str, str]:
    """An object and an address, both checked before, as notifications name them."""
    return str(ObjectIdentifier(name)), str(Address(address))


def _value(raw: Any, flags: Any) -> Cell | Exception:
    """What a present value says; ValueError says why it says nothing."""
    if flags is not None and not hasattr(flags, "errorCode"):
        if flags[FAULT]:
            return ValueError("the device reports a fault")
        if flags[OUT_OF_SERVICE]:
            return ValueError("is out of service at the device")
    if raw is None:
        return ValueError("the device said nothing of it")
    if hasattr(raw, "errorCode"):
        return ValueError(f"the device says {raw.errorClass}: {raw.errorCode}")
    if isinstance(raw, BinaryPV):
        return bool(int(raw))
    if isinstance(raw, int | float):
        return float(raw)
    return ValueError(f"is no number but {type(raw).__name__}")
