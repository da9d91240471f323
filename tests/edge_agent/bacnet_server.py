"""bacpypes3 as a device on 127.0.0.1, with objects that a test sets."""

import socket
from typing import Any

from bacpypes3.errors import RejectException
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.analog import AnalogInputObject
from bacpypes3.local.binary import BinaryInputObject
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.multistate import MultiStateValueObject
from bacpypes3.pdu import IPv4Address
from bacpypes3.service.cov import ChangeOfValueServices

from tests.edge_agent.modbus_server import LoopThread, free_port


class Device:
    """One device; `analog` by instance, a binary input and a multi-state value."""

    def __init__(self) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        self.address = f"127.0.0.1:{self.port}"
        self.analog: dict[int, float] = {1: 0.0, 2: 1.0}
        self.flags: dict[int, list[int]] = {}
        self.deaf = False
        """It answers nothing."""
        self.only_singly = False
        """It refuses to read several properties at once."""
        self.asked: list[str] = []
        """Kinds of requests that came."""
        self._thread = LoopThread()
        self._app: Any = None
        self._objects: dict[int, Any] = {}

    def start(self) -> None:
        if self._app is None:
            self._thread.do(self._start())

    def stop(self) -> None:
        if self._app is not None:
            self._thread.do(self._stop())

    def end(self) -> None:
        if not self._thread.loop.is_closed():
            self.stop()
            self._thread.end()

    def set(self, instance: int, value: float) -> None:
        self.analog[instance] = value
        if self._app is not None:
            self._thread.do(self._set(instance))

    def spoil(self, instance: int, bit: int | None) -> None:
        """Raise one of the status flags, or none."""
        self.flags[instance] = [int(i == bit) for i in range(4)]
        if self._app is not None:
            self._thread.do(self._set(instance))

    async def _set(self, instance: int) -> None:
        thing = self._objects[instance]
        flags = self.flags.get(instance, [0, 0, 0, 0])
        thing.reliability = "open-loop" if flags[1] else "no-fault-detected"
        thing.outOfService = bool(flags[3])
        thing.presentValue = self.analog[instance]

    async def _start(self) -> None:
        device = self

        async def indication(app: Any, apdu: Any) -> None:
            device.asked.append(type(apdu).__name__)
            if not device.deaf:
                await NormalApplication.indication(app, apdu)

        async def read_multiple(app: Any, apdu: Any) -> None:
            if device.only_singly:
                raise RejectException("unrecognized-service")
            await NormalApplication.do_ReadPropertyMultipleRequest(app, apdu)

        changed = {"indication": indication, "do_ReadPropertyMultipleRequest": read_multiple}
        application: Any = type("Application", (NormalApplication, ChangeOfValueServices), changed)
        own = DeviceObject(objectIdentifier=("device", 100), objectName="controller", vendorIdentifier=999)
        self._app = application(own, IPv4Address(f"127.0.0.1/32:{self.port}"))
        for instance, value in self.analog.items():
            thing = AnalogInputObject(
                objectIdentifier=("analog-input", instance), objectName=f"a{instance}", presentValue=value,
                covIncrement=0.1, statusFlags=[0, 0, 0, 0], reliability="no-fault-detected", outOfService=False,
            )  # fmt: skip
            self._objects[instance] = thing
            await self._set(instance)
            self._app.add_object(thing)
        clear = [0, 0, 0, 0]
        self._app.add_object(
            BinaryInputObject(
                objectIdentifier=("binary-input", 1), objectName="b", presentValue="active", statusFlags=clear
            )
        )
        self._app.add_object(
            MultiStateValueObject(
                objectIdentifier=("multi-state-value", 1), objectName="m", presentValue=3, numberOfStates=5,
                statusFlags=clear,
            )
        )  # fmt: skip

    async def _stop(self) -> None:
        self._app.close()
        self._app = None
