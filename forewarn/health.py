"""A small HTTP server for one service under `forewarn run`: /healthz, /readyz, /metrics."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = "127.0.0.1"


class HealthServer:
    """Answers 200 while `healthy()` gives an empty text, else 503 with the text."""

    def __init__(self, port: int, healthy: Callable[[], str], metrics: Callable[[], bytes]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, metrics())
                elif self.path == "/healthz":
                    self._answer(200, b"ok\n")
                elif self.path == "/readyz":
                    wrong = healthy()
                    self._answer(503 if wrong else 200, (wrong or "ok").encode() + b"\n")
                else:
                    self._answer(404, b"not here\n")

            def _answer(self, status: int, body: bytes) -> None:
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "text/plain; charset=utf-8")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # who asked has not waited

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a probe every few seconds is no news."""

        self._server = ThreadingHTTPServer((ADDRESS, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
