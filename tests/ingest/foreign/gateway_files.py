"""Configuration of ThingsBoard's gateway: one Modbus device, polled twice a second."""

import json
import socket
from pathlib import Path


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_gateway(folder: Path, port: int, token: str, modbus: int) -> Path:
    """Write the gateway's files; returns their folder."""
    config = folder / "config"
    config.mkdir()
    main = {
        "thingsboard": {
            "host": "127.0.0.1", "port": port, "remoteShell": False, "remoteConfiguration": False,
            "security": {"type": "accessToken", "accessToken": token}, "qos": 1,
            "statistics": {"enable": False}, "minPackSendDelayMS": 50, "minPackSizeToSend": 10,
            "handleDeviceRenaming": False,
        },
        "storage": {"type": "memory", "read_records_count": 100, "max_records_count": 1000},
        "grpc": {"enabled": False},
        "connectors": [{"name": "Modbus", "type": "modbus", "configuration": "modbus.json"}],
    }  # fmt: skip
    register = {"type": "16uint", "functionCode": 3, "objectsCount": 1}
    slave = {
        "host": "127.0.0.1", "port": modbus, "type": "tcp", "method": "socket", "unitId": 1, "deviceName": "Device A",
        "deviceType": "default", "timeout": 5, "byteOrder": "BIG", "wordOrder": "BIG", "retries": 3,
        "retryOnEmpty": True, "retryOnInvalid": True, "pollPeriod": 500, "connectAttemptTimeMs": 500,
        "connectAttemptCount": 20, "waitAfterFailedAttemptsMs": 1000, "attributes": [],
        "timeseries": [
            {"tag": "temp", "address": 0, "divider": 10, **register}, {"tag": "rpm", "address": 1, **register},
        ],
        "attributeUpdates": [], "rpc": [],
    }  # fmt: skip
    (config / "tb_gateway.json").write_text(json.dumps(main))
    (config / "modbus.json").write_text(json.dumps({"name": "Modbus", "master": {"slaves": [slave]}}))
    return config
