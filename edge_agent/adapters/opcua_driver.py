"""Subscribes to nodes of an OPC UA server. The file's fields: docs/drivers.md. Needs the extra `opcua`.

The server tells what changed, with its time; changes of one moment make one reading. After a connection was lost all is
subscribed anew, and a value that the server tells again with the same time is passed over.
"""

import asyncio
import logging
import math
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edge_agent.adapters import driver_file, opcua_file
from edge_agent.adapters.live_source import LiveSource, SourceLost, in_words, rfc3339
from edge_agent.domain.driving import Batch, Cell, Fault, Option, Options, Plan

if TYPE_CHECKING:
    from asyncua.client.client import Client
    from asyncua.common.subscription import DataChangeNotif, Subscription

LOOK_S = 0.1
TOGETHER_S = 0.02
"""Changes that arrive within it and have the same time make one reading."""
ALIVE_S = 3.0
"""How often the server is asked whether it is there."""
RETRY_NODES_S = 30.0
MOST_QUEUED = 1000
_WORDS = {
    "BadUserAccessDenied": "the server does not let this account in",
    "BadIdentityTokenRejected": "the server does not let this account in",
    "BadIdentityTokenInvalid": "the server does not take this kind of account",
    "BadSecurityChecksFailed": "the server refuses our certificate, or the security policy",
    "BadSecurityPolicyRejected": "the server does not offer this security policy",
    "BadSecurityModeRejected": "the server does not offer this security mode",
    "BadCertificateUntrusted": "the server does not trust our certificate",
    "BadCertificateInvalid": "a certificate is not valid",
    "BadCertificateTimeInvalid": "a certificate has expired, or a clock is wrong",
    "BadCertificateUriInvalid": "the certificate's URI is not the application_uri",
    "BadNodeIdUnknown": "the server has no such node",
    "BadNodeIdInvalid": "the server has no such node",
}


class OpcuaDriver:
    """One server with its nodes."""

    OPTIONS: ClassVar[tuple[Option, ...]] = driver_file.FILE

    def __init__(self, options: Options) -> None:
        plan = driver_file.read(options, opcua_file.read)
        self._source = LiveSource(f"opcua {plan.url}", _Subscriber(plan).session)

    @classmethod
    def check(cls, options: Options, path: str) -> list[Fault]:
        """What is wrong with the file."""
        if find_spec("asyncua") is None:
            return [Fault(f"{path}.kind", "opcua", "needs the extra opcua: pip install 'forewarn[opcua]'")]
        return driver_file.check(options, path, opcua_file.read)

    @classmethod
    def plan(cls, options: Options) -> Plan:
        """What would be read."""
        plan = driver_file.read(options, opcua_file.read)
        policy = plan.security.policy
        secured = f", {policy} {plan.security.mode}" if policy != "none" else ", not secured"
        lines = [f"opcua server {plan.url}{secured}" + (f" as {plan.user}" if plan.user else "")]
        lines += [f"{node.signal}: {node.node}, sampled every {node.every:g} s" for node in plan.nodes]
        return Plan(lines, plan.units)

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What came since; a live source cannot wait for room."""
        return self._source.poll(position, now)

    def close(self) -> None:
        """End the connection."""
        self._source.close()


@dataclass(slots=True)
class _Subscriber:
    """Runs one connection in a loop of its own; what was told last outlives it."""

    plan: opcua_file.ServerPlan
    told: dict[str, tuple[datetime, Cell]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def session(self, source: LiveSource) -> None:
        """One connection. Raises SourceLost."""
        for name in ("asyncua", "asyncua.client", "asyncua.uaprotocol"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said in `problem`
        from asyncua.ua.uaerrors import UaError

        try:
            asyncio.run(self._talk(source))
        except (UaError, OSError, TimeoutError, asyncio.CancelledError) as failure:
            raise SourceLost(f"{self.plan.url}: {_in_words(failure)}") from failure

    async def _talk(self, source: LiveSource) -> None:
        from asyncua.ua.uaerrors import UaError

        client = await self._client()
        try:
            await client.connect()
            self.problems.clear()
            handler = _Changes(self, source)
            period = 1000 * min(self.plan.every, *(node.every for node in self.plan.nodes))
            subscription = await client.create_subscription(period, handler)
            wanted = await self._subscribe(client, subscription, list(self.plan.nodes))
            asked = retried = source.monotonic()
            while not source.stopping.is_set():
                source.well(in_words(self.problems))
                await asyncio.sleep(LOOK_S)
                if source.monotonic() - asked >= ALIVE_S:
                    asked = source.monotonic()
                    await client.nodes.server_state.read_value()
                if wanted and source.monotonic() - retried >= RETRY_NODES_S:
                    retried = source.monotonic()
                    wanted = await self._subscribe(client, subscription, wanted)
                if handler.ended:
                    raise SourceLost(f"{self.plan.url}: the server ended the subscription")
            handler.flush()
        finally:
            with suppress(UaError, OSError, TimeoutError):  # it may be gone; the next connection is a new one
                await asyncio.wait_for(client.disconnect(), self.plan.timeout)

    async def _client(self) -> "Client":
        from asyncua import ua
        from asyncua.client.client import Client
        from asyncua.crypto import security_policies

        plan, security = self.plan, self.plan.security
        client = Client(plan.url, timeout=plan.timeout)
        client.name = client.description = "forewarn-agent"
        if plan.user:
            client.set_user(plan.user)
            client.set_password(plan.password.text)
        if security.certificate is not None and security.key is not None:
            try:
                client.application_uri = plan.application_uri or _uri_of(security.certificate) or client.application_uri
                mode = ua.MessageSecurityMode.Sign if security.mode == "sign" else ua.MessageSecurityMode.SignAndEncrypt
                await client.set_security(
                    getattr(security_policies, f"SecurityPolicy{security.policy}"),
                    security.certificate,
                    security.key,
                    security.key_password.text or None,
                    str(security.server_certificate) if security.server_certificate else None,
                    mode,
                )
            except (ValueError, TypeError) as problem:
                raise SourceLost(f"{plan.url}: a certificate, the key or its password cannot be used") from problem
        return client

    async def _subscribe(
        self, client: "Client", subscription: "Subscription", nodes: list[opcua_file.Node]
    ) -> list[opcua_file.Node]:
        """Subscribe to nodes; those that the server refused, with the problem noted."""
        from asyncua import ua

        refused: list[opcua_file.Node] = []
        for every in sorted({node.every for node in nodes}):
            group = [node for node in nodes if node.every == every]
            queued = min(MOST_QUEUED, max(10, math.ceil(2 * self.plan.every / every)))
            answers = await subscription.subscribe_data_change(
                [client.get_node(node.node) for node in group],
                queuesize=queued,
                sampling_interval=ua.Double(1000 * every),
            )
            for node, answer in zip(group, answers, strict=True):
                if isinstance(answer, ua.StatusCode):
                    refused.append(node)
                    self.problems[node.signal] = _WORDS.get(answer.name, answer.name)
                else:
                    self.problems.pop(node.signal, None)
        return refused


class _Changes:
    """Takes the changes of one subscription and makes readings of them."""

    def __init__(self, subscriber: _Subscriber, source: LiveSource) -> None:
        self._subscriber, self._source = subscriber, source
        self._signals: dict[str, list[opcua_file.Node]] = {}
        self._waiting: dict[datetime, dict[str, Cell]] = {}
        self.ended = False

    def datachange_notification(self, node: Any, val: Any, data: "DataChangeNotif") -> None:
        """A value changed, or cannot be read any more."""
        from asyncua import ua

        if not self._signals:
            for wanted in self._subscriber.plan.nodes:
                self._signals.setdefault(ua.NodeId.from_string(wanted.node).to_string(), []).append(wanted)
        found = data.monitored_item.Value
        server, origin = found.ServerTimestamp, found.SourceTimestamp
        times = {"server": server or origin, "source": origin or server, "agent": None}
        t = times[self._subscriber.plan.time] or self._source.now()
        t = t.replace(tzinfo=UTC) if t.tzinfo is None else t
        status = found.StatusCode
        bad = status.name if status is not None and status.is_bad() else ""
        for wanted in self._signals.get(node.nodeid.to_string(), []):
            self._take(wanted, t, val, bad)

    def status_change_notification(self, status: Any) -> None:
        """The server says that the subscription itself has changed: it is over."""
        self.ended = True

    def flush(self) -> None:
        """Give what waits."""
        waiting, self._waiting = self._waiting, {}
        for t, values in sorted(waiting.items()):
            self._source.give(rfc3339(t), values)

    def _take(self, wanted: opcua_file.Node, t: datetime, raw: Any, bad: str) -> None:
        problems, told = self._subscriber.problems, self._subscriber.told
        value: Cell = None
        try:
            if bad:
                raise ValueError(f"the server says {bad}")
            if raw is not None and not isinstance(raw, bool | int | float):
                raise ValueError(f"is no number but {type(raw).__name__}")
            value = wanted.scaling.of(raw)
            problems.pop(wanted.signal, None)
        except ValueError as problem:
            problems[wanted.signal] = str(problem)
        if told.get(wanted.signal) == (t, value):
            return
        told[wanted.signal] = (t, value)
        if not self._waiting:
            asyncio.get_running_loop().call_later(TOGETHER_S, self.flush)
        values = self._waiting.setdefault(t, {})
        if wanted.signal in values:
            self.flush()
            values = self._waiting.setdefault(t, {})
        values[wanted.signal] = value


def _uri_of(certificate: Path) -> str:
    """The URI that a certificate names; "" = none. Raises ValueError for what is no certificate."""
    from cryptography import x509

    body = certificate.read_bytes()
    read = x509.load_pem_x509_certificate if body.startswith(b"-----") else x509.load_der_x509_certificate
    try:
        names = read(body).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


def _in_words(failure: BaseException) -> str:
    """For people, without anything that the server or a library put into it beyond its kind."""
    kind = type(failure).__name__
    if kind in _WORDS:
        return _WORDS[kind]
    if isinstance(failure, TimeoutError | asyncio.CancelledError):
        return "does not answer"
    if isinstance(failure, OSError):
        return f"cannot be reached: {failure.strerror or kind}"
    return str(failure).splitlines()[0][:200] if str(failure) else kind
