"""The whole product at debug level, used with every kind of secret; then all that it left is searched for each."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from forewarn.__main__ import main
from plumbing.mqtt import MqttLink
from plumbing.tls import TlsFiles
from tests.security.brokers import connect, packet, raw_answer, text, until

FOREWARN = (sys.executable, "-m", "forewarn")
WRONG_SECRET = "wr0ng-s3cret-of-a-guesser"
WRONG_KEY = "fw_wr0ng-key-of-a-guesser"
WRONG_CODE = "ZZZZZ-ZZZZ9"
PASSWORD = "c0rrect-horse-battery-staple"
SECRET_FILES = ("run.json", "pki/ca.key", "pki/server.key")
"""Of the home folder: they hold secrets, each of mode 0600."""


@dataclass
class Leaks:
    """Secrets that were used, and all that was seen."""

    secrets: dict[str, str] = field(default_factory=dict)
    seen: dict[str, bytes] = field(default_factory=dict)

    def secret(self, what: str, value: str) -> str:
        """Remember one."""
        assert len(value) > 8, f"{what} is too short to be looked for"
        self.secrets[what] = value
        return value

    def saw(self, where: str, content: str | bytes) -> None:
        """Remember what somebody could read."""
        raw = content if isinstance(content, bytes) else content.encode()
        self.seen[where] = self.seen.get(where, b"") + raw

    def found(self) -> list[str]:
        """Which secret stands where."""
        out = []
        for what, value in self.secrets.items():
            forms = {value, quote(value, safe=""), value.replace("-", "") if "code" in what else value}
            out += [
                f"{what} in {where}"
                for where, content in self.seen.items()
                if any(form.encode() in content for form in forms)
            ]
        return out


@dataclass
class Product:
    """A running `forewarn up`."""

    home: Path
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]
    leaks: Leaks

    def run_json(self) -> dict[str, Any]:
        """How it is reached."""
        made: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return made

    def forewarn(self, *words: str) -> str:
        """Standard output of a command beside it; what goes to standard error is seen."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*words, "--data-dir", str(self.home)])
        self.leaks.saw(f"stderr of {words[:2]}", err.getvalue())
        assert code == 0, err.getvalue()
        return out.getvalue()


def environ(**more: str) -> dict[str, str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith("FOREWARN_")}
    return {**plain, "FOREWARN_LOG_LEVEL": "DEBUG", "PYTHONUNBUFFERED": "1", **more}


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """Started, at debug level, with TLS."""
    home = tmp_path / "home"
    with (tmp_path / "up.log").open("wb") as log:
        words = (
            "up",
            "--no-host",
            "--http-port",
            "0",
            "--mqtt-port",
            "0",
            "--mqtts-port",
            "0",
            "--data-dir",
            str(home),
        )
        process = subprocess.Popen([*FOREWARN, *words], env=environ(), stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: (home / "run.json").exists() or process.poll() is not None, 60)
            yield Product(home, process, log, Leaks())
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def test_no_secret_stands_where_it_does_not_belong(product: Product, tmp_path: Path) -> None:
    leaks, home = product.leaks, product.home
    running = product.run_json()
    leaks.secret("the product's API key", running["api_key"])
    for role, link in running["links"].items():
        leaks.secret(f"{role}'s link", link.rpartition("/")[2])
    web = httpx.Client(base_url=running["http"], trust_env=False, follow_redirects=False)

    # registered by the command line and over HTTP; what shows a secret once is not looked at
    made = json.loads(product.forewarn("device", "add", "p1", "--model", "centrifugal-pump", "--json"))
    first = leaks.secret("p1's first secret", made["password"])
    key = leaks.secret("an API key", product.forewarn("token", "create", "--role", "admin").strip())
    by_key = {"Authorization": f"Bearer {key}"}
    two = web.post("/api/v1/devices", headers=by_key, json={"device": "p2", "model": "centrifugal-pump"})
    leaks.secret("p2's secret", two.json()["password"])

    # claims: right, replayed, wrong, malformed
    code = leaks.secret("a claim code", json.loads(product.forewarn("device", "claim-code", "p1", "--json"))["code"])
    leaks.secret("a wrong claim code", WRONG_CODE)
    claimed = web.post("/api/v1/claims", json={"code": code})
    assert claimed.status_code == 201
    secret = leaks.secret("p1's claimed secret", claimed.json()["password"])
    for body in ({"code": code}, {"code": WRONG_CODE}, {"cod": code}, {"code": [code]}, {"code": code, "more": code}):
        leaks.saw("answers", web.post("/api/v1/claims", json=body).text)
    leaks.saw("answers", web.get("/api/v1/claims", params={"q": 1}).text)

    # people: links used, replayed and wrong; keys wrong; a password set, used and mistaken
    link = running["links"]["admin"]
    taken = web.get(urlsplit(link).path)
    leaks.saw("answers", taken.text)
    session = leaks.secret("a session", next(iter(web.cookies.values())))
    assert session
    leaks.saw("answers", web.get(urlsplit(link).path).text)
    leaks.secret("a wrong key", WRONG_KEY)
    leaks.saw(
        "answers", httpx.get(f"{running['http']}/api/v1/me", headers={"Authorization": f"Bearer {WRONG_KEY}"}).text
    )
    leaks.secret("a password", PASSWORD)
    account = web.get("/account").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', account)
    assert csrf is not None
    leaks.saw("answers", web.post("/account/password", data={"csrf": csrf[1], "password": PASSWORD, "again": "x"}).text)
    leaks.saw("answers", web.post("/account/password", data={"csrf": csrf[1], "new": PASSWORD}).text)
    leaks.saw("answers", httpx.post(f"{running['http']}/sign-in", data={"name": "admin", "password": PASSWORD}).text)
    for page in (
        "/account",
        "/devices",
        "/devices/p1",
        "/fleet",
        "/people",
        "/connect",
        "/healthz",
        "/readyz",
        "/metrics",
    ):
        leaks.saw(f"page {page}", web.get(page).text)
    for path in ("/openapi.json", "/api/v1/devices", "/api/v1/quarantine", "/api/v1/nothing"):
        leaks.saw(f"answer {path}", web.get(path, headers=by_key).text)

    # a certificate
    folder = tmp_path / "p1-files"
    leaks.saw("stdout", product.forewarn("device", "certificate", "p1", "--out", str(folder)))
    leaks.secret("p1's private key", (folder / "device.key").read_text().splitlines()[1])
    leaks.secret("the authority's key", (home / "pki/ca.key").read_text().splitlines()[1])
    leaks.secret("the broker's key", (home / "pki/server.key").read_text().splitlines()[1])

    # devices: the old secret, a wrong one, the right one by TLS, a certificate, a forbidden topic, no MQTT at all
    mqtt, mqtts = urlsplit(running["mqtt"]), urlsplit(running["mqtts"])
    leaks.secret("a wrong secret", WRONG_SECRET)
    plain = int(mqtt.port or 0)
    for wrong in (first, WRONG_SECRET):
        raw_answer(plain, connect("local/p1", wrong, "x"))
        raw_answer(plain, connect(wrong, wrong, wrong)[:-3] + b"\xff\xff\xff")
    raw_answer(plain, packet(0x10, text("MQTT"), b"\x05\xc2\x00\x3c\x00", text("x"), text("local/p1"), text(secret)))
    said: list[str] = []
    url = f"mqtts://local%2Fp1:{secret}@{mqtts.hostname}:{mqtts.port}"
    files = (
        TlsFiles(running["ca"]),
        TlsFiles(running["ca"], str(folder / "device.crt"), str(folder / "device.key")),
        TlsFiles(str(folder / "device.crt")),
    )
    for tls in files:
        party = MqttLink(
            url,
            "any",
            subscribe=[],
            on_connect=lambda: None,
            on_message=lambda _: None,
            on_refused=said.append,
            tls=tls,
        )
        party.start()
        if tls is not files[2]:
            until(partial(getattr, party, "connected"))
            party.publish("forewarn/v1/local/p2/telemetry", secret.encode())
            party.publish("forewarn/v1/local/p1/telemetry", b'{"v":1,"samples":"not a list"}')
        time.sleep(0.5)
        leaks.saw("problems", party.problem)
        party.stop()
    leaks.saw("problems", "\n".join(said))

    # an agent, with its secret in the file that is its own, and one with a wrong one
    rows = tmp_path / "rows.csv"
    rows.write_text("time,vibration\n2026-11-22T10:00:00Z,2.0\n2026-11-22T10:00:01Z,2.1\n")
    for name, given in (("right", secret), ("wrong", WRONG_SECRET)):
        config = tmp_path / f"{name}.toml"
        config.write_text(f'[csv]\npath = "{rows}"\ntime = "time"\n')
        address = f"mqtt://local%2Fp1:{given}@{mqtt.hostname}:{mqtt.port}"
        log = tmp_path / f"agent-{name}.log"
        with log.open("wb") as out:
            agent = subprocess.Popen(
                [*FOREWARN, "run", "agent", "--config", str(config), "--data-dir", str(tmp_path / f"agent-{name}")],
                env=environ(FOREWARN_MQTT_URL=address), stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
            wanted = b"connected to the broker" if name == "right" else b"secret is wrong"
            until(partial(_says, log, wanted), 40)
            time.sleep(1.0)
            agent.send_signal(signal.SIGTERM)
            agent.wait(30)
        leaks.saw(f"the log of the {name} agent", log.read_bytes())
    for words in (("status",), ("doctor",), ("device", "list"), ("device", "certificates"), ("ledger", "p1")):
        leaks.saw(f"stdout of {words}", product.forewarn(*words))

    product.process.send_signal(signal.SIGTERM)
    assert product.process.wait(40) == 0
    log_of_up = (tmp_path / "up.log").read_bytes()
    assert b" DEBUG " in log_of_up, "debug level was asked for"
    assert b"refused from" in log_of_up, "wrong secrets were noted"
    leaks.saw("what `up` said", log_of_up)
    for file in home.rglob("*"):
        name = str(file.relative_to(home))
        if file.is_file() and name not in SECRET_FILES:
            leaks.saw(f"file {name}", file.read_bytes())
        elif file.is_file():
            assert file.stat().st_mode & 0o077 == 0, f"{name} is for the owner alone"
    assert len(leaks.secrets) >= 18
    assert leaks.found() == []


def _says(log: Path, what: bytes) -> bool:
    return what in log.read_bytes()


def test_a_leak_would_be_found() -> None:
    leaks = Leaks()
    leaks.secret("a claim code", "7K2M9-QX4TD")
    leaks.secret("a secret", "a/secret+with=signs")
    leaks.saw("one", "…7K2M9QX4TD…")
    leaks.saw("two", b"url?x=a%2Fsecret%2Bwith%3Dsigns&")
    leaks.saw("three", "nothing")
    assert leaks.found() == ["a claim code in one", "a secret in two"]
