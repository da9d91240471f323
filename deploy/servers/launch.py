"""Start and stop real servers: `with Mosquitto(...)`, `with InfluxDB(...)`, `with PostgreSQL(...)`."""

from deploy.servers.available import SERVERS, Availability, ServerMissing, available, path_of
from deploy.servers.influxdb import InfluxAccess, InfluxDB
from deploy.servers.mosquitto import Mosquitto, mosquitto_config
from deploy.servers.postgresql import PostgreSQL
from deploy.servers.process import Server, ServerFailed, accepts_connections, free_port
from deploy.servers.telegraf import Telegraf, telegraf_config

__all__ = [
    "SERVERS",
    "Availability",
    "InfluxAccess",
    "InfluxDB",
    "Mosquitto",
    "PostgreSQL",
    "Server",
    "ServerFailed",
    "ServerMissing",
    "Telegraf",
    "accepts_connections",
    "available",
    "free_port",
    "mosquitto_config",
    "path_of",
    "telegraf_config",
]
