"""`forewarn-agent claim` against the real API over real sockets: files, words and exit codes."""

import logging
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import app
from edge_agent import settings
from edge_agent.__main__ import DONE, FAILED, WRONG_USE, main
from edge_agent.adapters.claiming import CA, CERTIFICATE, KEY, REFUSED, URL_FILE, BadClaim, where
from ingest.domain.codes import MAX_TRIES
from ingest.service.access import Access
from ingest.service.claims import make_code
from ingest.service.registry import add_device, suspend_device
from plumbing import command_key
from plumbing.mqtt import BrokerAddress
from plumbing.pki import Authority, read
from plumbing.system_clock import SystemClock
from tests.api.company import Company, found_company
from tests.security.brokers import CLOCK

BAD_CODE = "7K2M9QX4TD"
LONG = "a-very-long-name-of-a-machine-in-the-north-hall-number-0123456"


class Platform:
    """The real API on a port of this machine, by http or https."""

    def __init__(self, company: Company, folder: Path, tls: bool = False) -> None:
        self.company, self.ca = company, folder / "https-ca.crt"
        files = {}
        if tls:
            authority = Authority.fresh(CLOCK.now())
            made = Authority(authority.certificate, authority.key).for_server(["localhost"], CLOCK.now())
            self.ca.write_bytes(authority.certificate)
            (folder / "https.crt").write_text(made.certificate)
            (folder / "https.key").write_text(made.key or "")
            files = {"crt": str(folder / "https.crt"), "key": str(folder / "https.key")}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app(company.web),
            log_config=None,
            lifespan="off",
            ssl_certfile=files.get("crt"),
            ssl_keyfile=files.get("key"),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.port}"

    def code(self, device: str = "new-1", ago: timedelta = timedelta()) -> str:
        """A claim code."""
        company = self.company
        wall = company.web.wall() - ago
        return make_code(company.shared.database, "acme", device, now=company.world.clock.at, wall=wall).code

    def stop(self) -> None:
        """End."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Makes platforms."""
    with ExitStack() as stack:

        def made(*, tls: bool = False, **given: Any) -> Platform:
            told: dict[str, Any] = {"mqtts": "broker.example:8883", "pki_dir": str(tmp_path / "pki"), **given}
            company = found_company(tmp_path, url="http://testserver", **told)
            for name in ("new-1", LONG):
                add_device(company.shared.database, "acme", name, "pump", now=company.world.clock.at)
            server = Platform(company, tmp_path, tls)
            stack.callback(server.stop)
            return server

        yield made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_claim_makes_files_for_their_owner_alone_that_the_agent_runs_with(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    server, config = platform(), tmp_path / "machine" / "agent.toml"
    code = server.code()
    assert main(["claim", server.url, code, "--config", str(config)]) == DONE
    made = settings.load(config, {"FOREWARN_HOME": str(tmp_path)})
    account = BrokerAddress.of(made.mqtt_url)
    assert (account.host, account.port, account.user, account.tls) == ("broker.example", 8883, "acme/new-1", True)
    assert Access(server.company.shared.database, SystemClock()).verify(account.user, account.secret)
    assert list(made.drivers) == ["host"]
    folder = config.parent
    assert {path.name: mode(path) for path in folder.iterdir()} == dict.fromkeys(
        ("agent.toml", URL_FILE, CA, CERTIFICATE, KEY), 0o600
    )
    assert read((folder / CERTIFICATE).read_bytes()).name == "acme/new-1"
    assert (made.tls.certificate, made.tls.key) == (str(folder / CERTIFICATE), str(folder / KEY))
    said = capsys.readouterr()
    for secret in (account.secret, code, (folder / KEY).read_text()):
        assert secret not in said.out + said.err
        assert secret not in caplog.text
    assert account.secret not in config.read_text()
    assert main(["check", "--config", str(config)]) == DONE


def test_a_second_claim_leaves_the_settings_alone_and_changes_the_secret(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, config = platform(), tmp_path / "machine" / "agent.toml"
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    before = (config.parent / URL_FILE).read_text()
    config.write_text(config.read_text() + "every = 7\n")
    kept = config.read_text()
    capsys.readouterr()
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    assert config.read_text() == kept
    assert (config.parent / URL_FILE).read_text() != before
    said = capsys.readouterr().out
    assert f'  mqtt_file = "{URL_FILE}"' in said
    assert "left as it is" in said


def test_what_the_qr_code_says_is_enough_and_the_code_may_come_by_the_input(
    platform: Callable[..., Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = platform()
    shown = f"{server.url}/api/v1/claims#{server.code()}"
    assert main(["claim", shown, "--config", str(tmp_path / "a" / "agent.toml")]) == DONE
    with (tmp_path / "input").open("w+") as typed:
        typed.write(f"{server.code()}\n")
        typed.seek(0)
        monkeypatch.setattr("sys.stdin", typed)
        assert main(["claim", server.url, "-", "--config", str(tmp_path / "b" / "agent.toml")]) == DONE


def test_each_refusal_has_words_and_leaves_no_file(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, config = platform(), tmp_path / "machine" / "agent.toml"

    def refused(code: str) -> str:
        assert main(["claim", server.url, code, "--config", str(config)]) == FAILED
        said = capsys.readouterr()
        assert code not in said.out + said.err
        assert list(config.parent.iterdir()) == []
        return said.err

    used = server.code()
    assert main(["claim", server.url, used, "--config", str(tmp_path / "other" / "agent.toml")]) == DONE
    capsys.readouterr()
    assert REFUSED["used"] in refused(used)
    assert REFUSED["expired"] in refused(server.code(ago=timedelta(hours=2)))
    shut = server.code()
    suspend_device(server.company.shared.database, "acme", "new-1", now=server.company.world.clock.at)
    assert REFUSED["shut_out"] in refused(shut)
    assert REFUSED["unknown"] in refused(BAD_CODE)
    seen = [refused(BAD_CODE) for _ in range(2 * MAX_TRIES)]
    assert any(REFUSED["too_many"] in words for words in seen)


def test_without_cryptography_a_secret_alone_is_asked_for_and_it_says_so(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    server, config = platform(), tmp_path / "machine" / "agent.toml"
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text("of the platform")

    def lacking() -> tuple[str, str]:
        raise ModuleNotFoundError("No module named 'cryptography'")

    monkeypatch.setattr("edge_agent.adapters.claiming.fresh_request", lacking)
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    assert {path.name for path in config.parent.iterdir()} == {"agent.toml", URL_FILE, CA}
    assert "cryptography is not installed" in capsys.readouterr().out
    assert settings.load(config, {}).device == "new-1"


def test_the_request_is_of_the_library_alone_where_it_lacks_that_is_the_error_that_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from plumbing.pki import fresh_request

    for name in [n for n in sys.modules if n.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ModuleNotFoundError):
        fresh_request()


def test_a_platform_that_signs_nothing_spends_no_code(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, config = platform(pki_dir="", mqtts="", mqtt="127.0.0.1:1883"), tmp_path / "machine" / "agent.toml"
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    said = capsys.readouterr().out
    assert "certificates are not signed here" in said
    assert "without TLS" in said
    assert {path.name for path in config.parent.iterdir()} == {"agent.toml", URL_FILE}
    assert settings.load(config, {}).mqtt_url.startswith("mqtt://acme%2Fnew-1:")


def test_a_name_too_long_for_a_certificate_is_claimed_by_secret(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, config = platform(), tmp_path / "machine" / "agent.toml"
    assert main(["claim", server.url, server.code(LONG), "--config", str(config)]) == DONE
    assert "sent no certificate" in capsys.readouterr().out
    assert not (config.parent / KEY).exists()
    assert settings.load(config, {}).device == LONG


def test_https_is_verified_before_the_code_is_sent(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, config = platform(tls=True), tmp_path / "machine" / "agent.toml"
    code = server.code()
    words = ["--config", str(config)]
    assert main(["claim", server.url, code, *words]) == FAILED
    assert "cannot prove who it is" in capsys.readouterr().err
    wrong_name = server.url.replace("localhost", "127.0.0.1")
    assert main(["claim", wrong_name, code, "--ca", str(server.ca), *words]) == FAILED
    assert "cannot prove who it is" in capsys.readouterr().err
    assert main(["claim", server.url, code, "--ca", str(server.ca), *words]) == DONE, "the code was not spent"


@pytest.mark.parametrize(
    "url",
    ["broker.example", "ftp://broker.example", "https://", "https://u:p@h", "https://h:99999999", "http://192.0.2.1",
     "http://platform.example", "https://h?code=1", "http://127.0.0.1.example"],
)  # fmt: skip
def test_an_address_that_cannot_be_is_wrong_use_and_nothing_is_sent(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claim", url, BAD_CODE, "--config", str(tmp_path / "x" / "agent.toml")]) == WRONG_USE
    assert BAD_CODE not in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_http_to_another_machine_is_taken_when_said_so() -> None:
    with pytest.raises(BadClaim, match="--insecure"):
        where("http://platform.example:8420", BAD_CODE)
    made = where("http://platform.example:8420/", BAD_CODE, insecure=True)
    assert (made.url, made.plain) == ("http://platform.example:8420/api/v1/claims", True)
    assert BAD_CODE not in repr(made)


def test_a_code_follows_no_redirection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/thief")
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(self.path)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert main(["claim", url, BAD_CODE, "--config", str(tmp_path / "agent.toml")]) == FAILED
    assert "somewhere else" in capsys.readouterr().err
    assert asked == ["/api/v1/claims"]


def test_no_platform_and_no_room_are_said_before_a_code_is_spent(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    words = ["--config", str(tmp_path / "agent.toml")]
    assert main(["claim", f"http://127.0.0.1:{port}", BAD_CODE, *words]) == FAILED
    assert "no platform answers" in capsys.readouterr().err
    server = platform()
    code = server.code()
    (tmp_path / "a-file").write_text("")
    assert main(["claim", server.url, code, "--config", str(tmp_path / "a-file" / "agent.toml")]) == FAILED
    assert "Nothing was claimed" in capsys.readouterr().err
    assert main(["claim", server.url, code, *words]) == DONE


def test_a_claimed_agent_knows_the_platforms_key_for_commands(
    platform: Callable[..., Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = command_key.load({}, tmp_path).public
    server, config = platform(command_key=lambda: key), tmp_path / "machine" / "agent.toml"
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    assert settings.load(config, {"FOREWARN_HOME": str(tmp_path)}).commands.key is not None
    assert key in config.read_text()
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    assert key in capsys.readouterr().out  # the file is left as it is; the words say what belongs into it


def test_a_key_for_commands_that_is_none_goes_into_no_file(platform: Callable[..., Platform], tmp_path: Path) -> None:
    config = tmp_path / "machine" / "agent.toml"
    server = platform(command_key=lambda: 'x"\nguarded = true\nkey = "')
    assert main(["claim", server.url, server.code(), "--config", str(config)]) == DONE
    assert "commands" not in config.read_text()
