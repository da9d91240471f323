"""One real server for each protocol that a live driver speaks, all under one shape."""

from pathlib import Path
from typing import Any, ClassVar, Protocol

from plumbing.broker import EmbeddedBroker
from plumbing.mqtt import MqttLink
from tests.edge_agent.at_the_broker import open_broker
from tests.edge_agent.bacnet_server import Device
from tests.edge_agent.modbus_server import ModbusServer
from tests.edge_agent.opcua_server import OpcuaServer

SECRET = "correct-horse-battery"


class World(Protocol):
    """A source with two signals: `x`, a number, and `y`, which can be made unreadable."""

    kind: ClassVar[str]
    has_password: ClassVar[bool]

    def __init__(self, folder: Path) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None:
        """As the source's own restart: the address stays."""
        ...

    def end(self) -> None: ...
    def content(self) -> dict[str, Any]:
        """A file for it."""
        ...

    def say(self, x: float) -> None:
        """`x` is this from now on; call it again as often as a source would say it anew."""
        ...

    def spoil(self, bad: bool) -> None:
        """Whether `y` cannot be read."""
        ...


class ModbusWorld:
    """Slave 1."""

    kind: ClassVar[str] = "modbus"
    has_password: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self._server = ModbusServer()
        self.start, self.stop, self.end = self._server.start, self._server.stop, self._server.end

    def content(self) -> dict[str, Any]:
        return {
            "connection": {"host": "127.0.0.1", "port": self._server.port, "timeout": 0.3, "retries": 0},
            "every": 0.1,
            "signals": {"x": {"address": 0}, "y": {"address": 1}},
        }

    def say(self, x: float) -> None:
        self._server.holding[1, 0] = int(x)

    def spoil(self, bad: bool) -> None:
        if bad:
            self._server.holes.add(1)
        else:
            self._server.holes.clear()


class MqttWorld:
    """A broker that asks for a password, and a publisher of a plain number and of JSON."""

    kind: ClassVar[str] = "mqtt"
    has_password: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self._broker: EmbeddedBroker = open_broker()
        self._port = self._broker.port
        self._broker.stop()
        self._bad = False
        self._link: MqttLink | None = None

    def start(self) -> None:
        self._broker.start()
        self._link = MqttLink(
            f"mqtt://sensor:x@127.0.0.1:{self._port}",
            "sensor",
            subscribe=[],
            on_connect=lambda: None,
            on_message=lambda _m: None,
        )
        self._link.start()

    def stop(self) -> None:
        if self._link is not None:
            self._link.stop()
            self._link = None
            self._broker.stop()

    def end(self) -> None:
        self.stop()

    def content(self) -> dict[str, Any]:
        return {
            "connection": {"port": self._port, "user": "agent", "password": SECRET},
            "topics": {"hall/x": {"signals": {"x": {}}}, "hall/rest": {"signals": {"y": {"path": "data[0].y"}}}},
        }

    def say(self, x: float) -> None:
        if self._link is not None:
            self._link.publish("hall/x", str(x).encode())
            self._link.publish("hall/rest", b'{"data":[{"y":"broken"}]}' if self._bad else b'{"data":[{"y":1}]}')

    def spoil(self, bad: bool) -> None:
        self._bad = bad


class OpcuaWorld:
    """A server that asks for a password, on an encrypted channel."""

    kind: ClassVar[str] = "opcua"
    has_password: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self._server = OpcuaServer(folder, "agent", SECRET, ("Basic256Sha256_SignAndEncrypt",))
        self._server.certify("agent")
        self._server.certify("server")
        self.start, self.stop, self.end = self._server.start, self._server.stop, self._server.end
        self._bad = False

    def content(self) -> dict[str, Any]:
        security = {
            "policy": "Basic256Sha256", "mode": "sign_and_encrypt", "certificate": "agent.der", "key": "agent.pem",
            "server_certificate": "server.der",
        }  # fmt: skip
        return {
            "connection": {
                "url": self._server.url, "user": "agent", "password": SECRET, "timeout": 2.0, "security": security
            },
            "every": 0.1,
            "signals": {"x": {"node": "ns=2;s=x"}, "y": {"node": "ns=2;s=y"}},
        }  # fmt: skip

    def say(self, x: float) -> None:
        self._server.set("x", x)
        self._server.set("y", x, bad=self._bad)

    def spoil(self, bad: bool) -> None:
        self._bad = bad


class BacnetWorld:
    """A controller with two analog inputs."""

    kind: ClassVar[str] = "bacnet"
    has_password: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self._device = Device()
        self.start, self.stop, self.end = self._device.start, self._device.stop, self._device.end

    def content(self) -> dict[str, Any]:
        return {
            "connection": {"local": "127.0.0.1/32:0", "timeout": 0.3, "retries": 1},
            "device": self._device.address,
            "every": 0.1,
            "signals": {"x": {"object": "analog-input,1"}, "y": {"object": "analog-input,2"}},
        }

    def say(self, x: float) -> None:
        self._device.set(1, x)

    def spoil(self, bad: bool) -> None:
        self._device.spoil(2, 1 if bad else None)


WORLDS: dict[str, type[World]] = {world.kind: world for world in (BacnetWorld, ModbusWorld, MqttWorld, OpcuaWorld)}
