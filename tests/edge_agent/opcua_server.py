"""asyncua's own server, with accounts and security policies, and nodes that a test sets."""

import logging
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.status_codes import StatusCodes
from cryptography.x509.oid import ExtendedKeyUsageOID

from plumbing.system_clock import SystemClock
from tests.edge_agent.modbus_server import LoopThread, free_port

URI = "urn:forewarn:test"


class _Shared:
    """One server object for the whole run: to make its standard nodes takes seconds of work."""

    thread: LoopThread | None = None
    server: Server | None = None
    nodes: ClassVar[dict[str, Any]] = {}

    @classmethod
    def of_this_run(cls) -> tuple[LoopThread, Server]:
        if cls.thread is None or cls.server is None:
            cls.thread = LoopThread()
            cls.server = cls.thread.do(cls._made())
        return cls.thread, cls.server

    @staticmethod
    async def _made() -> Server:
        server = Server()
        await server.init()
        await server.set_application_uri(URI)
        await server.register_namespace("http://test")
        server.set_force_server_timestamp(False)
        return server


class Accounts(UserManager):
    """One account; without a name everybody is let in."""

    def __init__(self, user: str, password: str) -> None:
        self._known = (user, password)

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        return User(role=UserRole.User) if self._known in (("", ""), (username, password)) else None


class OpcuaServer:
    """Nodes `ns=2;s=NAME`; `values` is what they say."""

    def __init__(self, folder: Path, user: str = "", password: str = "", policies: tuple[str, ...] = ()) -> None:
        self.url = f"opc.tcp://127.0.0.1:{free_port()}/test"
        self.folder = folder
        self._accounts = Accounts(user, password)
        self._policies = policies or ("NoSecurity",)
        self._thread, self._server = _Shared.of_this_run()
        self._runs = False
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)

    def certify(self, name: str) -> tuple[Path, Path]:
        """A certificate of its own and its key."""
        certificate, key = self.folder / f"{name}.der", self.folder / f"{name}.pem"
        self._thread.do(
            setup_self_signed_certificate(
                key, certificate, URI, socket.gethostname(),
                [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH], {},
            )
        )  # fmt: skip
        return certificate, key

    def start(self) -> None:
        if not self._runs:
            self._thread.do(self._start())
            self._runs = True

    def stop(self) -> None:
        if self._runs:
            self._thread.do(self._server.stop())
            self._runs = False

    def end(self) -> None:
        self.stop()

    def set(self, name: str, value: Any, at: datetime | None = None, bad: bool = False) -> None:
        """The node says this, since then."""
        if self._runs:
            self._thread.do(self._set(name, value, at, bad))

    async def _set(self, name: str, value: Any, at: datetime | None, bad: bool) -> None:
        status = ua.StatusCode(ua.UInt32(StatusCodes.BadSensorFailure if bad else StatusCodes.Good))
        stamp = ua.DateTime.fromtimestamp((at or SystemClock().now()).timestamp(), UTC)
        said = ua.DataValue(ua.Variant(value), status, SourceTimestamp=stamp, ServerTimestamp=stamp)
        node = _Shared.nodes.get(name)
        if node is None:
            node = await self._server.nodes.objects.add_variable(f"ns=2;s={name}", name, value)
            _Shared.nodes[name] = node
        await node.write_value(said)

    async def _start(self) -> None:
        server = self._server
        server.iserver.endpoints.clear()
        server._policies = []
        server.iserver.set_user_manager(self._accounts)
        server.set_endpoint(self.url)
        server.set_security_policy([getattr(ua.SecurityPolicyType, name) for name in self._policies])
        server.iserver.certificate = server.iserver.private_key = None
        if self._policies != ("NoSecurity",):
            await server.load_certificate(self.folder / "server.der")
            await server.load_private_key(self.folder / "server.pem")
        await server.start()
        await self._set("x", 0.0, None, False)
        await self._set("y", 1.0, None, False)
