"""Links that break: a TCP proxy of our own that cuts, silences, slows and corrupts what passes.

No proxy that could be installed flips bytes; here one byte of a piece is changed. That makes sense on a link with TLS
alone, where any changed byte ends the connection: plain MQTT has no checksum of its own, so a changed digit would be a
true reading to everyone, and no protocol could tell.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from enum import Enum
from typing import Any

from deploy.servers.launch import free_port

PIECE = 16_384
_RESET = struct.pack("ii", 1, 0)
SLOW_DELAY_S = 0.25
SLOW_BYTES_A_SECOND = 40_000
CORRUPT_SHARE = 0.5
"""Share of the pieces of which a byte is changed."""


class State(Enum):
    """What the link does with what comes."""

    WELL = "well"
    CUT = "cut"
    """Connections are reset, new ones refused."""
    SILENT = "silent"
    """Nothing passes either way, nothing ends."""
    SLOW = "slow"
    CORRUPT = "corrupt"


class Link:
    """One link to a port of 127.0.0.1. `port` is where the others connect; it stays the same.

    Parameters
    ----------
    name
        For people.
    target
        The port behind it.
    dice
        Which byte is changed.
    """

    def __init__(self, name: str, target: int, dice: random.Random) -> None:
        self.name, self.port, self._target, self._dice = name, free_port(), target, dice
        self._state = State.WELL
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"link {name}", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self.carried = 0
        """Bytes that passed."""

    def start(self) -> "Link":
        """Open it."""
        self._thread.start()
        self._do(self._open())
        return self

    def close(self) -> None:
        """End everything."""
        if self._thread.is_alive():
            self._do(self._cut())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def turn(self, state: State) -> None:
        """From now on it does this."""
        self._do(self._turn(state))

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    async def _turn(self, state: State) -> None:
        before, self._state = self._state, state
        if state is State.SILENT:
            self._flows.clear()
        else:
            self._flows.set()
        if state is State.CUT:
            await self._cut()
        elif before is State.CUT:
            await self._open()

    async def _open(self) -> None:
        self._flows.set()
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(there)
            ways = {asyncio.create_task(self._pass(a, b)) for a, b in ((reader, there), (back, writer))}
            _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
                with suppress(asyncio.CancelledError):
                    await way
        except OSError:
            pass  # nobody listens behind it: whoever came sees the connection end
        finally:
            for end in (writer, there):
                if end is not None:
                    self._writers.discard(end)
                    end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            while data := await reader.read(PIECE):
                await self._flows.wait()
                if self._state is State.SLOW:
                    await asyncio.sleep(SLOW_DELAY_S + len(data) / SLOW_BYTES_A_SECOND)
                elif self._state is State.CORRUPT and self._dice.random() < CORRUPT_SHARE:
                    data = self._changed(data)
                self.carried += len(data)
                writer.write(data)
                await writer.drain()

    def _changed(self, data: bytes) -> bytes:
        at = self._dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ self._dice.randrange(1, 256)]) + data[at + 1 :]
