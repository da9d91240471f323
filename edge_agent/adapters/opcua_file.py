"""The file of the OPC UA driver: the server, how it lets us in, the nodes. Read strictly, before anything connects."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.adapters.driver_file import Secret, Section
from edge_agent.domain.driving import Scaling

NODE = re.compile(r"(ns=\d{1,5};)?([is]|[gb])=.+")
URL = re.compile(r"opc\.tcp://[^\s/@:]+(:\d{1,5})?(/\S*)?")
POLICIES = ("none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES = ("sign", "sign_and_encrypt")
TIMES = ("server", "source", "agent")


@dataclass(frozen=True, slots=True)
class Node:
    """One signal: its node, and the interval at which the server samples it."""

    signal: str
    node: str
    every: float
    scaling: Scaling


@dataclass(frozen=True, slots=True)
class Security:
    """How the channel is secured; `policy` none = not at all."""

    policy: str
    mode: str
    certificate: Path | None
    key: Path | None
    key_password: Secret
    server_certificate: Path | None


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A server and what is subscribed there."""

    url: str
    user: str
    password: Secret
    security: Security
    application_uri: str
    timeout: float
    every: float
    time: str
    nodes: Sequence[Node]
    units: Mapping[str, str]


def read(root: Section) -> ServerPlan:
    """What the file says; faults go to the section."""
    connection = root.section("connection", needed=True)
    url = connection.text("url", "such as opc.tcp://10.0.0.5:4840/server")
    if url and not URL.fullmatch(url):
        connection.fault("url", "(not shown: it may hold a secret)", "must be opc.tcp://HOST:PORT/PATH, no account")
    user, password = connection.text("user", "the account", ""), connection.secret()
    if password.text and not user:
        connection.fault("user", None, "is missing: the password's account")
    uri = connection.text("application_uri", "what the certificate calls us; by default read from it", "")
    timeout = connection.number("timeout", "seconds to wait for an answer", 4.0, 0.2, 60.0)
    security = _security(connection.section("security"))
    connection.done()
    every = root.seconds("every", "between samples that the server takes and sends", 1.0)
    time = root.choice("time", TIMES, "server")
    nodes: list[Node] = []
    units: dict[str, str] = {}
    for name, section in root.signals():
        node = section.text("node", "such as ns=2;s=Chiller1.Supply or ns=2;i=1042")
        if node and not NODE.fullmatch(node):
            section.fault("node", node, "must be ns=NUMBER;s=TEXT, or i=, g=, b= in place of s=")
        own = section.seconds("every", "between samples that the server takes", every)
        nodes.append(Node(name, node, own, section.scaling()))
        if unit := section.unit():
            units[name] = unit
        section.done()
    return ServerPlan(url, user, password, security, uri, timeout, every, time, nodes, units)


def _security(section: Section) -> Security:
    policy = section.choice("policy", POLICIES, "none")
    secured = policy != "none"
    if secured and "mode" not in section:
        section.fault("mode", None, f"is missing: one of {', '.join(MODES)}")
    made = Security(
        policy,
        section.choice("mode", MODES, "sign_and_encrypt"),
        section.file("certificate", "our certificate, .der or .pem", needed=secured),
        section.file("key", "its private key, .pem or .der", needed=secured),
        section.secret("key_password"),
        section.file("server_certificate", "the server's certificate, .der or .pem: no other server is trusted"),
    )
    if not secured and (made.certificate or made.key or made.server_certificate):
        section.fault("policy", policy, f"must be one of {', '.join(POLICIES[1:])} for certificates to be used")
    section.done()
    return made
