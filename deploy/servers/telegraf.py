"""A real Telegraf that moves our messages from the broker to InfluxDB: what ingest is measured beside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from deploy.servers.available import path_of
from deploy.servers.influxdb import InfluxAccess
from deploy.servers.process import Server


def telegraf_config(broker: str, user: str, secret: str, topic: str, influx: InfluxAccess) -> str:
    """Read our telemetry with json_v2 and write it with the tags and fields that ingest writes, in writes as large.

    `broker` is `host:port`.
    """
    return f"""
[agent]
  metric_batch_size = 5000
  metric_buffer_limit = 200000
  flush_interval = "200ms"
  omit_hostname = true
  debug = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://{broker}"]
  topics = ["{topic}"]
  topic_tag = ""
  qos = 1
  persistent_session = true
  client_id = "{user}"
  username = "{user}"
  password = "{secret}"
  max_undelivered_messages = 20000
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "forewarn/v1/+/+/telemetry"
    tags = "_/_/tenant/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "telemetry"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "samples"
      timestamp_key = "t"
      timestamp_format = "2006-01-02T15:04:05.999999Z"
      disable_prepend_keys = true

[[outputs.influxdb_v2]]
  urls = ["{influx.url}"]
  token = "{influx.token}"
  organization = "{influx.org}"
  bucket = "{influx.bucket}"
  content_encoding = "identity"
"""


class Telegraf(Server):
    """A Telegraf with the configuration given."""

    name: ClassVar[str] = "telegraf"

    def __init__(self, folder: Path, config: str) -> None:
        super().__init__(folder, port=0)
        self._config = config

    def _prepare(self) -> None:
        path = self.folder / "telegraf.conf"
        path.touch(mode=0o600)
        path.write_text(self._config)

    def _command(self) -> Sequence[str | Path]:
        return (path_of("telegraf"), "--config", self.folder / "telegraf.conf")

    def _ready(self) -> bool:
        return self.log.exists() and "Connected [tcp" in self.log.read_text()

    @property
    def written(self) -> int:
        """How many points it says that InfluxDB took."""
        return sum(int(n) for n in re.findall(r"Wrote batch of (\d+) metrics", self.log.read_text()))
