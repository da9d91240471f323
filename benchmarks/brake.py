"""A brake: an HTTP proxy before InfluxDB that lets so many lines a second through, whoever sends them."""

import threading
import time
from functools import partial
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_COPIED = ("Authorization", "Content-Type", "Accept")


class Brake:
    """Opens a port of 127.0.0.1; a write is handed on once the lines before it, and its own, have had their time."""

    def __init__(self, target: int, lines_a_second: float) -> None:
        self._target, self._rate = target, lines_a_second
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.lines = 0
        """That were let through."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="brake", daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def _wait(self, lines: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + lines / self._rate
            wait = self._free_at - now
        time.sleep(wait)

    def hand_on(self, handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        """Ask InfluxDB what the handler was asked, in due time."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        lines = body.count(b"\n") + 1 if handler.path.startswith("/api/v2/write") else 0
        if lines:
            self._wait(lines)
        there = HTTPConnection("127.0.0.1", self._target, timeout=30)
        try:
            headers = {name: handler.headers[name] for name in _COPIED if handler.headers[name]}
            there.request(handler.command or "", handler.path, body, headers)
            answer = there.getresponse()
            said = answer.read()
        except (OSError, HTTPException):
            return 502, b"{}"
        finally:
            there.close()
        if answer.status == 204:
            self.lines += lines
        return answer.status, said


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, brake: Brake, *more: Any) -> None:
        self._brake = brake
        super().__init__(*more)

    def do_POST(self) -> None:
        status, said = self._brake.hand_on(self)
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if status != 204:
            self.wfile.write(said)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
