"""Runs what docker-compose.yml says without a container engine: the same commands and environment, as processes here.

Names of hosts become addresses of the real servers of the tests, paths in a container become folders of the test,
ports become free ones; everything else is as it stands in the file.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from deploy.servers.launch import InfluxAccess, accepts_connections, free_port, path_of
from deploy.servers.mosquitto import owner_name

ROOT = Path(__file__).parents[2]
ENTRYPOINT = (sys.executable, "-m", "forewarn")
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


class Composed:
    """All services of ours and the broker, on given stores."""

    def __init__(self, folder: Path, database_url: str, influx: InfluxAccess) -> None:
        self.folder = folder
        file: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        services: dict[str, dict[str, Any]] = file["services"]
        self.ours = {n: s for n, s in services.items() if str(s.get("image", "")).startswith("forewarn:")}
        self._broker = services["mosquitto"]
        self.mqtt_port, self.mqtts_port, self.http_port = free_port(), free_port(), free_port()
        self.health_ports = {name: free_port() for name in self.ours}
        self.influx = influx
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._secrets(database_url)
        for name in ("home", "broker"):
            (folder / name).mkdir()

    def _secrets(self, database_url: str) -> None:
        """Made by the script of the checkout; then the servers' real addresses and secrets in the same files."""
        secrets = self.folder / "secrets"
        subprocess.run(["sh", ROOT / "deploy/compose/secrets.sh", secrets], check=True, stdout=subprocess.DEVNULL)
        (secrets / "database_url").write_text(database_url)
        (secrets / "influx_token").write_text(self.influx.token)
        mqtt = (secrets / "mqtt_url").read_text()
        assert mqtt.endswith("@mosquitto:1883")
        (secrets / "mqtt_url").write_text(mqtt.replace("mosquitto:1883", f"127.0.0.1:{self.mqtt_port}"))

    def _here(self, text: str) -> str:
        """What a text of the compose file is on this machine."""
        for there, here in (
            ("/run/secrets/", f"{self.folder}/secrets/"),
            ("/var/lib/forewarn", f"{self.folder}/home"),
            ("/var/lib/broker", f"{self.folder}/broker"),
            ("/etc/forewarn/", f"{ROOT}/deploy/compose/"),
            ("http://influxdb:8086", self.influx.url),
            ("127.0.0.1:8420", f"127.0.0.1:{self.http_port}"),
        ):
            text = text.replace(there, here)
        return text

    def environment(self, name: str) -> dict[str, str]:
        """The process environment of a service of ours."""
        given = {k: self._here(DEFAULT.sub(r"\1", str(v))) for k, v in self.ours[name]["environment"].items()}
        given["FOREWARN_HEALTH_PORT"] = str(self.health_ports[name])
        given |= {"FOREWARN_INFLUX_ORG": self.influx.org, "FOREWARN_INFLUX_BUCKET": self.influx.bucket}
        return {k: v for k, v in os.environ.items() if not k.startswith("FOREWARN_")} | given

    def command(self, name: str) -> list[str]:
        """The command of a service of ours."""
        words = [str(word).replace("0.0.0.0", "127.0.0.1") for word in self.ours[name]["command"]]
        return [*ENTRYPOINT, *words, *(["--http-port", str(self.http_port)] if name == "api" else [])]

    def forewarn(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`docker compose exec api forewarn ...`."""
        return subprocess.run(
            [*ENTRYPOINT, *words], env=self.environment("api"), capture_output=True, text=True, timeout=60, check=False
        )

    def migrate(self) -> subprocess.CompletedProcess[str]:
        """Run the service that ends by itself."""
        return subprocess.run(
            self.command("migrate"), env=self.environment("migrate"), capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    def start(self) -> None:
        """Start broker and services."""
        config = self.folder / "mosquitto.conf"
        text = self._here((ROOT / "deploy/compose/mosquitto.conf").read_text())
        # started by root, Mosquitto becomes another user, who cannot read the accounts; in the container nobody is root
        for port, here in ((1883, self.mqtt_port), (8883, self.mqtts_port), (8884, free_port())):
            text = text.replace(f"listener {port}\n", f"listener {here} 127.0.0.1\n")
        config.write_text(f"{text}user {owner_name()}\n")
        words = [self._here(str(word)) for word in self._broker["command"]]
        path = f"{Path(path_of('mosquitto')).parent}{os.pathsep}{os.environ['PATH']}"
        self._run("mosquitto", [*words, str(config)], {**os.environ, "PATH": path})
        for name in self.ours:
            if name != "migrate":
                self._run(name, self.command(name), self.environment(name))

    def _run(self, name: str, words: list[str], environ: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                words, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def log(self, name: str) -> str:
        """What a service said."""
        return (self.folder / f"{name}.log").read_text()

    def answer(self, name: str, path: str) -> tuple[int, str]:
        """What a service's health port says; status 0 = nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_ports[name]}{path}", timeout=4) as said:
                return said.status, said.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError as failure:
            return 0, str(failure)

    def check_of(self, name: str) -> list[str]:
        """The health check of a service of ours, with its port here."""
        kind, *words = self.ours[name]["healthcheck"]["test"]
        assert kind == "CMD"
        assert words[0] == "python3"
        return [sys.executable, *(w.replace(":8421/", f":{self.health_ports[name]}/") for w in words[1:])]

    def broker_answers(self) -> bool:
        """Whether Mosquitto listens."""
        return accepts_connections(self.mqtt_port)

    def stop(self, within: float) -> dict[str, tuple[int | None, float]]:
        """SIGTERM to all, as `docker compose stop`; exit code (None = still there) and seconds of each."""
        began = time.monotonic()
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        ended: dict[str, tuple[int | None, float]] = {}
        while len(ended) < len(self.running) and time.monotonic() - began < within:
            for name, process in self.running.items():
                if name not in ended and process.poll() is not None:
                    ended[name] = process.returncode, time.monotonic() - began
            time.sleep(0.02)
        return {name: ended.get(name, (None, within)) for name in self.running}

    def close(self) -> None:
        """End whatever is left."""
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
            process.wait()
