"""The web as a service: a thread with its own loop that runs the server."""

import logging
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn

from api.live import Live
from api.ports import Owners
from api.settings import Settings
from api.views import StoryBook
from api.web import Web
from plumbing.model_files import ModelFiles
from plumbing.runtime import Shared

START_S, STOP_S = 20.0, 10.0
log = logging.getLogger(__name__)


class WebServer:
    """A `plumbing.runtime.Service`."""

    name = "api"

    def __init__(self, web: Web) -> None:
        self.web = web
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._fault = "not started"

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        host, port = self.web.settings.host, self.web.settings.port
        if self._socket is not None:
            port = self._socket.getsockname()[1]
        shown = (
            "127.0.0.1"
            if host in ("0.0.0.0", "")
            else "[::1]"
            if host == "::"
            else f"[{host}]"
            if ":" in host
            else host
        )
        return f"http://{shown}:{port}"

    def start(self) -> None:
        """Listen; returns when requests are answered. Raises OSError when the port is taken."""
        from api.app import app

        settings = self.web.settings
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((settings.host, settings.port))
        except OSError as failure:
            made.close()
            raise OSError(failure.errno, f"{failure.strerror}: {settings.host}:{settings.port}") from failure
        self._socket = made
        config = uvicorn.Config(
            app(self.web), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3,
            timeout_keep_alive=30, lifespan="off", proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=[str(network) for network in settings.proxies],
        )  # fmt: skip
        server = uvicorn.Server(config)
        self._server, self._fault = server, ""

        def run() -> None:
            try:
                server.run([made])
            except (OSError, RuntimeError, SystemExit) as fault:
                self._fault = f"the server ended: {fault}"
                log.exception("the web server ended")

        self._thread = threading.Thread(target=run, name="api", daemon=True)
        self._thread.start()
        clock, begun = self.web.shared.system, self.web.shared.system.monotonic()
        while not server.started and self._thread.is_alive() and clock.monotonic() - begun < START_S:
            self._thread.join(0.01)

    def stop(self) -> None:
        """End the streams, finish what is being answered, end."""
        server, thread = self._server, self._thread
        self._fault = "stopped"
        if server is None or thread is None:
            return
        self.web.live.close()
        server.should_exit = True
        thread.join(STOP_S)
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = None

    def healthy(self) -> str:
        """Empty when it answers."""
        if self._thread is not None and not self._thread.is_alive():
            return self._fault or "the server has ended"
        return self._fault


def build(
    settings: Settings,
    shared: Shared,
    *,
    owners: Owners | None = None,
    stories: StoryBook | None = None,
    unwell: Callable[[], dict[str, str]] = dict,
) -> WebServer:
    """The web service. `unwell` names what is wrong with the other parts; `stories` is the demo's book of stories."""
    if owners is None:
        from api.owners import ServiceOwners

        models = shared.models

        def names() -> Sequence[str]:
            return sorted(models.all()) if isinstance(models, ModelFiles) else ()

        owners = ServiceOwners(shared, model_names=names)
    return WebServer(Web(settings, shared, owners, Live(shared.database, owners.tick), stories, unwell))
