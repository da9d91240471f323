"""Connect a machine: pick its kind, get the command with the real secret, and watch the first message arrive."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.ports import NewDevice
from api.problems import Problem, not_found
from api.web import Web
from ingest.adapters.pki_folder import CA


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to send: its name, where the text goes, and the text with the real address, id and secret."""

    name: str
    where: str
    text: str


def example_of(values: dict[str, float]) -> str:
    """A telemetry body with one sample, received now."""
    return msgspec.json.encode({"v": 1, "samples": [{"values": values}]}).decode()


def recipes(
    of: NewDevice, host: str, port: str, values: dict[str, float], command_key: str = "", *, tls: bool = False
) -> tuple[Recipe, ...]:
    """The ways to connect this device."""
    body = example_of(values)
    mosquitto = " ".join(
        ["mosquitto_pub", "-V", "mqttv311", "-q", "1", "-h", shlex.quote(host), "-p", port,
         *(["--cafile", CA] if tls else []), "-i",
         shlex.quote(of.username), "-u", shlex.quote(of.username), "-P", shlex.quote(of.password), "-t",
         shlex.quote(of.topic), "-m", shlex.quote(body)]
    )  # fmt: skip
    scheme, trust, known = ("mqtts", f"client.tls_set({CA!r})\n", f'ca = "{CA}"\n') if tls else ("mqtt", "", "")
    python = f"""import json
import paho.mqtt.client as mqtt  # pip install paho-mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id={of.username!r})
client.username_pw_set({of.username!r}, {of.password!r})
{trust}client.connect({host!r}, {port})
client.loop_start()
body = {{"v": 1, "samples": [{{"values": {values!r}}}]}}
client.publish({of.topic!r}, json.dumps(body), qos=1).wait_for_publish(10)
client.disconnect()
"""
    user = of.username.replace("/", "%2F")
    agent = f"""# agent.toml: the drivers; then run
#   FOREWARN_MQTT_URL='{scheme}://{user}:{of.password}@{host}:{port}' forewarn run agent --config agent.toml
{known}[csv]
path = "readings.csv"
time = "t"
"""
    if command_key:
        agent += f"""
[commands]  # it does what the holder of this key asks for, within docs/commands.md
key = "{command_key}"
"""
    return (
        Recipe("mosquitto_pub", "in a terminal", mosquitto),
        Recipe("Python", "as a script", python),
        Recipe("Forewarn agent", "as agent.toml: numbered samples, none is lost", agent),
    )


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners

    def form(request: Request, status: int = 200, fault: str = "", device: str = "", model: str = "") -> Response:
        return web.page(
            request, "connect.html", status, models=owners.models(), fault=fault, device=device, model=model
        )

    @router.get("/connect", include_in_schema=False)
    def pick(request: Request, who: Who) -> Response:
        return form(request)

    @router.post("/connect", include_in_schema=False)
    def register(
        request: Request,
        who: Who,
        device: Annotated[str, Form(max_length=100)],
        model: Annotated[str, Form(max_length=64)],
    ) -> Response:
        try:
            made = owners.add_device(who, device.strip(), model)
        except Problem as problem:
            return form(request, problem.status, problem.detail, device, model)
        tls = bool(web.settings.mqtts)  # what devices on the network reach; without TLS it is for this computer
        host, _, port = (web.settings.mqtts or web.settings.mqtt).rpartition(":")
        kind = web.shared.models(model)
        values = {s.name: round((s.low + s.high) / 2, 1) for s in kind.signals.values()} if kind else {}
        ways = recipes(made, host.strip("[]"), port, values, web.settings.command_key(), tls=tls)
        authority = Path(web.settings.pki_dir) / CA if tls and web.settings.pki_dir else None
        return web.page(
            request, "connected.html", 201, device=made, recipes=ways, heard=owners.heard(who, made.device),
            command_key=web.settings.command_key(), tls=tls,
            authority=authority.read_text() if authority and authority.is_file() else "",
        )  # fmt: skip

    @router.get("/connect/{device}", include_in_schema=False)
    def wait(request: Request, who: Who, device: str) -> Response:
        found = owners.heard(who, device)
        if found is None:
            raise not_found("device")
        return web.page(request, "heard.html", device=device, heard=found)
