"""A small mail box that speaks IMAP: enough of RFC 3501 to be signed in at, searched, read and flagged."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Box:
    """Its mails, oldest first, the numbers of those that were dealt with, and how."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    flags: dict[int, str] = field(default_factory=dict)
    password: str = "right"

    def answer(self, line: str) -> list[bytes]:
        """What is said to a command, without its tag's line."""
        command = line.upper()
        if command.startswith("CAPABILITY"):
            return [b"* CAPABILITY IMAP4rev1"]
        if command.startswith(("SELECT", "EXAMINE")):
            return [b"* %d EXISTS" % len(self.mails), b"* OK [UIDVALIDITY 1]"]
        if command.startswith("UID SEARCH"):
            fresh = [n for n in range(1, len(self.mails) + 1) if n not in self.seen]
            return [b"* SEARCH " + b" ".join(b"%d" % n for n in fresh)]
        if command.startswith("UID FETCH"):
            n = int(line.split()[2])
            body = self.mails[n - 1]
            head = b"* %d FETCH (UID %d FLAGS () RFC822.SIZE %d BODY[] {%d}\r\n" % (n, n, len(body), len(body))
            return [head + body + b")"]
        if command.startswith("UID STORE"):
            n = int(line.split()[2])
            self.seen.add(n)
            self.flags[n] = line.partition("(")[2].rstrip(")")
        return [b"* BYE"] if command.startswith("LOGOUT") else []


@contextmanager
def serving() -> Iterator[Box]:
    """A box that answers in a thread."""
    box, listener = Box(), socket.create_server(("127.0.0.1", 0))
    box.port = listener.getsockname()[1]

    def run() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller, caller.makefile("rb") as lines:
                caller.sendall(b"* OK here\r\n")
                for raw in lines:
                    tag, _, line = raw.decode().strip().partition(" ")
                    if line.upper().startswith("LOGIN") and not re.search(rf'"{box.password}"$', line):
                        caller.sendall(f"{tag} NO not you\r\n".encode())
                        continue
                    for said in box.answer(line):
                        caller.sendall(said + b"\r\n")
                    caller.sendall(f"{tag} OK done\r\n".encode())
                    if line.upper().startswith("LOGOUT"):
                        break

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        listener.close()
