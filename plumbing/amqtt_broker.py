"""amqtt, held to the rules of the device link. Imported by `plumbing.broker` when it starts.

What amqtt 0.12 does otherwise and what is done about it here: it leaves an MQTT 5 client without an answer, deletes a
session before it checks the secret, keeps the earlier of two connections with one id open, lets wills go anywhere,
hands retained messages to whoever connects, never ends a silent connection, and waits for each acknowledgement of a
subscriber. Delivery does not rest on this broker: every session is clean, nothing is kept for the absent, and what a
subscriber does not acknowledge is not sent again.
"""

import asyncio
import hashlib
import logging
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from amqtt.adapters import BufferReader, StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError, CodecError, MQTTError
from amqtt.mqtt import packet_class
from amqtt.mqtt.packet import PINGREQ, PUBACK, PUBLISH, MQTTFixedHeader
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler

from plumbing.foreign_listener import ForeignListener
from plumbing.mqtt_connect import REFUSED_ACCOUNT, Refused, length, rewritten, text

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_CONNECT_BYTES = 1024 * 1024
MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""A subscriber that leaves more than this unread is disconnected."""
MAX_RETAINED = 20_000
MAX_RETAINED_BYTES = 32 * 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
TAKE_OVER_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0
TLS = "tls"
"""Name of the second listener."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """Who may do what; each is asked with the user name."""

    authenticate: Callable[[str, str], bool]
    may_publish: Callable[[str, str], bool]
    may_receive: Callable[[str, str], bool]
    on_refused: Callable[[str, str], None]
    certified: Callable[[str, str], bool] = lambda _user, _fingerprint: False


@dataclass(frozen=True)
class TlsListener:
    """Where to listen with TLS, besides the plain listener."""

    host: str
    port: int
    context: ssl.SSLContext


class _Reader(StreamReaderAdapter):
    """Gives the rewritten CONNECT first, then what comes."""

    def __init__(self, first: bytes, stream: asyncio.StreamReader) -> None:
        super().__init__(stream)
        self._first, self.stream = first, stream

    async def read(self, n: int = -1) -> bytes:
        if self._first:
            given, self._first = self._first[:n], self._first[n:]
            return given
        return bytes(await self.stream.readexactly(n))


class _Handler(BrokerProtocolHandler):
    """One connection. Publishes pass straight through: no queue, no task waits for an acknowledgement."""

    broker: "RuledBroker"
    user: str
    stream: asyncio.StreamReader
    transport: asyncio.WriteTransport
    _last_id = 0
    _heard_at = 0.0
    _watch: asyncio.TimerHandle | None = None

    def begin(self, broker: "RuledBroker", user: str, stream: asyncio.StreamReader, transport: Any) -> None:
        """Give it its connection."""
        self.broker, self.user, self.stream, self.transport = broker, user, stream, transport
        self._unsent: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, topic: bytes, data: bytes, qos: int, retain: bool) -> None:
        """Write a PUBLISH to the client."""
        if self.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("%s reads too slowly: its connection ends", self.user)
            self.transport.abort()
            return
        middle = b""
        if qos:
            self._last_id = self._last_id % 65535 + 1
            middle = struct.pack("!H", self._last_id)
        size = length(2 + len(topic) + len(middle) + len(data))
        self._write(b"".join((bytes([0x30 | qos << 1 | retain]), size, text(topic), middle, data)))

    def _write(self, data: bytes) -> None:
        """Write soon: what comes together goes out together."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.transport.is_closing():
            self.transport.write(b"".join(unsent))

    async def _reader_loop(self) -> None:
        """Take packets until the connection ends; amqtt's own loop has a task and a timer for each."""
        assert self._reader_ready is not None
        self._reader_ready.set()
        self._watch_silence()
        try:
            while await self._take(await self.stream.readexactly(2)):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        except (MQTTError, AMQTTError, CodecError, struct.error, UnicodeDecodeError, IndexError) as problem:
            log.warning("%s sends what is no MQTT, its connection ends: %s", self.user, problem)
        if self._watch is not None:
            self._watch.cancel()
        for task in self._tasks:
            task.cancel()
        await self.handle_connection_closed()
        self._reader_stopped.set()
        await self.stop()

    async def _take(self, head: bytes) -> bool:
        """Take one packet; False when it was the last."""
        self._heard_at = self._loop.time()
        size, byte, shift = head[1] & 127, head[1], 0
        while byte > 127:
            shift += 7
            if shift > 21:
                raise MQTTError("a packet of impossible length")
            byte = (await self.stream.readexactly(1))[0]
            size |= (byte & 127) << shift
        if size > MAX_MESSAGE_BYTES:
            raise MQTTError(f"a packet of {size} bytes, at most {MAX_MESSAGE_BYTES} may pass")
        body = await self.stream.readexactly(size)
        kind, flags = head[0] >> 4, head[0] & 15
        if kind == PUBLISH and flags & 0x06 != 0x04:
            await self._take_publish(flags, body)
        elif kind == PINGREQ:
            self._write(b"\xd0\x00")
        elif kind != PUBACK:
            header = MQTTFixedHeader(kind, flags, size)
            packet = await packet_class(header).from_stream(BufferReader(body), fixed_header=header)
            return await self._take_other(kind, packet)
        return True

    async def _take_publish(self, flags: int, body: bytes) -> None:
        """Route what the client publishes, and acknowledge it, whether it was permitted or not."""
        at = 2 + int(struct.unpack_from("!H", body)[0])
        topic = body[2:at].decode()
        qos = flags >> 1 & 3
        if len(body) < at + (2 if qos else 0) or qos == 3:
            raise MQTTError("a PUBLISH that ends early")
        if not topic or "#" in topic or "+" in topic or "\0" in topic or topic.startswith("$"):
            raise MQTTError(f"a message to {topic!r}, which is no topic")
        await self.broker.route(self.user, topic, body[at + 2 :] if qos else body[at:], bool(flags & 1))
        if qos:
            self._write(b"\x40\x02" + body[at : at + 2])

    async def _take_other(self, kind: int, packet: Any) -> bool:
        match kind:
            case 3:
                task = asyncio.create_task(self.handle_publish(packet))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case 6:
                await self.handle_pubrel(packet)
            case 8:
                await self.handle_subscribe(packet)
            case 10:
                await self.handle_unsubscribe(packet)
            case 14:
                await self.handle_disconnect(packet)
                return False
            case _:
                raise MQTTError(f"a packet of kind {kind}, which a client does not send")
        return True

    def _watch_silence(self) -> None:
        """End the connection when the client was silent for longer than it said."""
        patience = self.session.keep_alive if self.session else 0
        if not patience:
            return
        self._heard_at = self._heard_at or self._loop.time()
        left = self._heard_at + patience - self._loop.time()
        if left <= 0:
            log.info("%s was silent for too long: its connection ends", self.user)
            self.transport.abort()
        else:
            self._watch = self._loop.call_later(left + 0.01, self._watch_silence)


class RuledBroker(Broker):
    """The broker; runs in one event loop."""

    foreign: ForeignListener | None = None

    def __init__(self, host: str, port: int, rules: Rules, tls: TlsListener | None = None) -> None:
        listeners = {"default": ListenerConfig(bind=f"{host}:{port}", max_connections=-1)}
        if tls is not None:
            listeners[TLS] = ListenerConfig(bind=f"{tls.host}:{tls.port}", max_connections=-1)
        super().__init__(BrokerConfig(listeners=listeners, plugins={}))
        self._rules, self._tls = rules, tls
        self._running: dict[str, tuple[asyncio.Task[Any], asyncio.WriteTransport]] = {}
        self._shown: dict[str, tuple[str, int]] = {}
        """Fingerprint and serial number of the certificates that live connections showed, by user."""
        self._retained_bytes = 0

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port_of("default")

    @property
    def tls_port(self) -> int:
        """The port that it listens on with TLS; 0 where it does not."""
        return self._port_of(TLS) if self._tls is not None else 0

    def _port_of(self, listener: str) -> int:
        server: Any = self._servers[listener].instance
        return int(server.sockets[0].getsockname()[1])

    async def _create_server_instance(
        self, listener_name: str, listener_type: Any, address: str | None, port: int, ssl_context: Any
    ) -> Any:
        if listener_name != TLS or self._tls is None:
            return await super()._create_server_instance(listener_name, listener_type, address, port, ssl_context)
        return await asyncio.start_server(
            partial(self.stream_connected, listener_name=TLS), address, port, reuse_address=True,
            ssl=self._tls.context, ssl_handshake_timeout=CONNECT_TIMEOUT_S, ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
        )  # fmt: skip

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """One connection from its first byte to its end."""
        peer = writer.get_extra_info("peername")
        try:
            shown = _certificate(writer)
            first = await asyncio.wait_for(self._first_packet(reader), CONNECT_TIMEOUT_S)
            if shown is None and self.foreign is not None and self.foreign.claims(first):
                await self.foreign.serve(first, reader, writer)
                writer.close()
                return
            connect = rewritten(first, shown[0] if shown else None)
            if shown is not None:
                if not await asyncio.to_thread(self._rules.certified, *shown[:2]):
                    self._rules.on_refused(connect.user, "")
                    raise Refused(REFUSED_ACCOUNT, f"{connect.user!r}: its certificate is unknown here or revoked")
            elif not await asyncio.to_thread(self._rules.authenticate, connect.user, connect.secret or ""):
                self._rules.on_refused(connect.user, "")
                raise Refused(REFUSED_ACCOUNT, f"{connect.user!r}: unknown, revoked, or the secret is wrong")
        except Refused as refusal:
            log.warning("refused from %s: %s", peer, refusal.words)
            if refusal.code is not None:
                writer.write(bytes([0x20, 2, 0, refusal.code]))
            writer.close()
            return
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            writer.close()
            return
        user, transport = connect.user, writer.transport
        await self.disconnect(user)
        mine = asyncio.current_task()
        assert mine is not None
        self._running[user] = (mine, transport)
        self._shown.pop(user, None)
        if shown is not None:
            self._shown[user] = shown[1:]
        try:
            await self._client_connected(listener_name, _Reader(connect.packet, reader), StreamWriterAdapter(writer))
        except OSError as problem:
            log.info("the connection of %s broke: %s", user, problem)
        finally:
            transport.abort()
            if self._running.get(user, (None,))[0] is mine:
                del self._running[user]
                self._shown.pop(user, None)
                await self._delete_session(user)

    async def _first_packet(self, reader: asyncio.StreamReader) -> bytes:
        if await reader.readexactly(1) != b"\x10":
            raise Refused(None, "something that does not begin with CONNECT")
        size = shift = 0
        while True:
            byte = (await reader.readexactly(1))[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 21:
                raise Refused(None, "a CONNECT of impossible length")
        if size > MAX_CONNECT_BYTES:
            raise Refused(None, "a CONNECT that is too long")
        return await reader.readexactly(size)

    async def disconnect(self, user: str) -> None:
        """End the user's connection, if there is one, and wait until its will is out."""
        earlier = self._running.get(user)
        if earlier is not None:
            task, transport = earlier
            transport.abort()
            await asyncio.wait([task], timeout=TAKE_OVER_TIMEOUT_S)

    async def send_away(self, gone: Callable[[str, int], bool]) -> None:
        """End the live connections whose certificate, by fingerprint and serial number, is good no more."""
        for user, shown in list(self._shown.items()):
            if gone(*shown):
                log.info("the certificate of %s is good no more: its connection ends", user)
                await self.disconnect(user)

    async def _initialize_client_session(
        self, reader: Any, writer: Any, remote_address: str, remote_port: int
    ) -> tuple[_Handler, Any]:
        handler: Any
        session: Any
        try:
            handler, session = await _Handler.init_from_connect(reader, writer, self.plugins_manager)
        except (struct.error, UnicodeDecodeError, IndexError) as problem:
            raise AMQTTError(f"a CONNECT that cannot be read: {problem}") from problem
        handler.begin(self, session.client_id, reader.stream, writer._writer.transport)
        if session.will_flag and not self._rules.may_publish(session.client_id, session.will_topic):
            session.will_flag = False
            self._rules.on_refused(session.client_id, session.will_topic)
        session.keep_alive = session.keep_alive * 3 // 2
        session.parent = 0
        return handler, session

    async def _authenticate(self, session: Any, _: Any) -> bool:
        return True

    async def _topic_filtering(self, session: Any, topic: str, action: Any) -> bool:
        """Asked by amqtt for subscriptions, and for publishes of QoS 2."""
        if action == "publish":
            return self._permits(session.client_id, topic)
        return bool(action != "subscribe" or self._rules.may_receive(session.client_id, topic))

    def _permits(self, user: str, topic: str) -> bool:
        if self._rules.may_publish(user, topic):
            return True
        self._rules.on_refused(user, topic)
        return False

    async def route(self, user: str, topic: str, data: bytes, retain: bool) -> None:
        """Give a message to its subscribers, and keep it where it is to be kept."""
        if not self._permits(user, topic):
            return
        await self._broadcast_message(None, topic, data)
        if retain:
            await self.retain_message(None, topic, data, 1)

    async def _broadcast_message(self, session: Any, topic: Any, data: Any, force_qos: int | None = None) -> None:
        name, body = topic.encode(), bytes(data or b"")
        for a_filter, subscribed in self._subscriptions.items():
            if subscribed and self._matches(topic, a_filter):
                for target, qos in subscribed:
                    handler = self._get_handler(target)
                    if isinstance(handler, _Handler) and handler.session is target:
                        handler.send(name, body, min(qos, 1), False)

    async def retain_message(self, source_session: Any, topic_name: Any, data: Any, qos: int | None = None) -> None:
        """Keep a message for later subscribers, within bounds."""
        before = self._retained_messages.get(topic_name)
        kept = self._retained_bytes + len(data or b"") - (len(before.data) if before else 0)
        if data and (kept > MAX_RETAINED_BYTES or (before is None and len(self._retained_messages) >= MAX_RETAINED)):
            log.warning("no room for another retained message: %s is not kept", topic_name)
            return
        self._retained_bytes = kept
        await super().retain_message(source_session, topic_name, data, qos)

    async def _publish_retained_messages_for_subscription(self, subscription: tuple[str, int], session: Any) -> None:
        a_filter, qos = subscription
        handler = self._get_handler(session)
        if not isinstance(handler, _Handler) or not any(s is session for s, _ in self._subscriptions.get(a_filter, ())):
            return
        for topic, kept in list(self._retained_messages.items()):
            if self._matches(topic, a_filter):
                handler.send(topic.encode(), bytes(kept.data), min(qos, 1), True)


def _certificate(writer: asyncio.StreamWriter) -> tuple[str, str, int] | None:
    """Name, fingerprint and serial number of the verified certificate that the client showed; None without one.

    Raises Refused for one without name.
    """
    session = writer.get_extra_info("ssl_object")
    found = session.getpeercert(binary_form=True) if session is not None else None
    if not found:
        return None
    told = session.getpeercert()
    names = [value for part in told["subject"] for key, value in part if key == "commonName"]
    if len(names) != 1 or not names[0] or "\0" in names[0]:
        raise Refused(REFUSED_ACCOUNT, f"a certificate with {len(names)} common names, one is asked for")
    return names[0], hashlib.sha256(found).hexdigest(), int(told["serialNumber"], 16)
