"""The device's side of commands for simulated machines, from the contract alone: an offer gets a nonce, a grant runs.

A simulated machine takes `read` commands only and checks no signature: it has nothing that could be harmed.
"""

import secrets
from collections import OrderedDict
from typing import Any, Protocol

from contracts import commands as wire
from contracts.commands import Command, Refusal, Result, Risk

REMEMBERED = 1000


class Asked(Protocol):
    """A machine that can be asked."""

    def check(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a read command; None = there is no such command here."""
        ...


class Obeying:
    """Commands of one simulated device."""

    def __init__(self, me: str, machine: Asked) -> None:
        self._me, self._machine = me, machine
        self._nonces: dict[str, str] = {}
        self._ended: OrderedDict[str, Result] = OrderedDict()

    def hear(self, body: bytes) -> list[bytes]:
        """What is answered to a message of the topic `command`."""
        try:
            _, _, command = wire.opened(body)
        except wire.NotUnderstood:
            return []
        return [wire.encode(result) for result in self._answer(command)]

    def _answer(self, of: Command) -> list[Result]:
        before = self._ended.get(of.id)
        if before is not None:
            return [before]
        if of.to != self._me:
            return [_refused(of, "other_device")]
        if of.risk is not Risk.READ:
            return [_refused(of, "guarded_off")]
        if not of.nonce:
            nonce = self._nonces.setdefault(of.id, secrets.token_hex(16))
            return [Result(wire.VERSION, of.id, "ready", nonce=nonce)]
        if self._nonces.pop(of.id, "") != of.nonce:
            return [_refused(of, "expired")]
        data = self._machine.check(of.name, of.args)
        if data is None:
            return [_refused(of, "unknown_command")]
        ended = self._ended[of.id] = Result(wire.VERSION, of.id, "done", data=data)
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        return [Result(wire.VERSION, of.id, "started"), ended]


def _refused(of: Command, reason: Refusal) -> Result:
    return Result(wire.VERSION, of.id, "refused", reason=reason, text=wire.REFUSALS[reason])
