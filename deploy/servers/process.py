"""A real server as a child process that keeps its port and its folder, so that it can be killed and come back."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import psutil

# Below the ports that Linux hands to outgoing connections (32768 and up): while a server is down, none of these
# connections can sit on its port.
_FIRST_PORT, _LAST_PORT = 20_000, 31_999
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 30


class ServerFailed(RuntimeError):
    """A server ended while it started, or was not ready in time. The message holds the end of its log."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on and that no outgoing connection will take."""
    for _ in range(1000):
        port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT + 1)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port between {_FIRST_PORT} and {_LAST_PORT}")


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on the port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Server(ABC):
    """One server process on a port of 127.0.0.1, with its data and log in one folder.

    As a context manager it starts and stops. `kill`, then `start`, is a crash and a recovery: port, folder, data and
    secrets stay the same.

    Parameters
    ----------
    folder
        Made if it does not exist.
    port
        None takes a free one.
    ready_within
        Seconds after which `start` gives up.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, port: int | None = None, ready_within: float = 60.0) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port() if port is None else port
        self.ready_within = ready_within
        self.log = self.folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running server's process id."""
        if self._process is None:
            raise ServerFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises
        ------
        ServerFailed
            It runs already, ended, or did not answer in time; in the last two cases nothing is left running.
        """
        if self.running:
            raise ServerFailed(f"{self.name} runs already, pid {self.pid}")
        self._prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment(),
                user=self._user(),
                group=self._group(),
                extra_groups=None if self._user() is None else [],
                start_new_session=True,
            )
        deadline = time.monotonic() + self.ready_within
        while not self._ready():
            if self._process.poll() is not None:
                code = self._process.returncode
                self._process = None
                raise ServerFailed(f"{self.name} ended with code {code} while it started\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(f"{self.name} was not ready within {self.ready_within:g} s\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)
        return self

    def stop(self, within: float = 30.0) -> None:
        """End the server as its administrator would; kill it if it has not ended in time. Without effect if stopped."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server and all its children with SIGKILL, as a crash would; returns when they are gone."""
        if self._process is None:
            return
        try:
            server = psutil.Process(self._process.pid)
            server.suspend()  # it forks no further child while these are listed
            family = [server, *server.children(recursive=True)]
        except psutil.NoSuchProcess:
            family = []
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        while any(_alive(child) for child in family[1:]):
            time.sleep(0.005)
        self._process = None

    def restart(self) -> Self:
        """Stop cleanly and start again."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """Stop for good."""
        self.stop()

    def log_tail(self) -> str:
        """Return the last lines of the log, or a word that there are none."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:]) or f"({self.log} is empty)"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except ServerFailed:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Give the command that runs the server in the foreground."""

    @abstractmethod
    def _ready(self) -> bool:
        """Tell whether the server answers; must return within a second or so."""

    def _prepare(self) -> None:
        """Make what the server needs before it starts; called at every start."""
        return

    def _environment(self) -> Mapping[str, str] | None:
        """Give the environment; None is this process's own."""
        return None

    def _user(self) -> str | None:
        """Name the user that runs it; None is this process's own."""
        return None

    def _group(self) -> int | None:
        """Give the group that goes with the user."""
        return None
