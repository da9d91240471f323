"""paho's client, reading in bulk. Imported by `plumbing.mqtt` when it connects.

paho 2 asks the system four times for each message that arrives (select, and three reads); here one read takes what is
there. It rests on paho's inner methods: the tests of `plumbing.mqtt` hold it to a real broker.
"""

import socket

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode, _ConnectionState

READ_BYTES = 256 * 1024
GOODBYE_S = 1.0
GOODBYE_READS = 1000


class BulkClient(Client):
    """A client for one connection, in paho's threaded mode."""

    _ahead = b""
    _at = 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at == len(self._ahead):
            self._ahead, self._at = super()._sock_recv(max(READ_BYTES, bufsize)), 0
        start = self._at
        self._at = min(start + bufsize, len(self._ahead))
        return self._ahead[start : self._at]

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take all packets of one read: the system does not say again that they are here."""
        while True:
            rc = self._packet_read()
            if rc == MQTTErrorCode.MQTT_ERR_AGAIN:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            if rc > 0:
                return self._loop_rc_handle(rc)
            if self._at == len(self._ahead) or self._sock is None:
                return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sock_close(self) -> None:
        """After a DISCONNECT wait for the other end to close first.

        A socket closed with something unread resets the connection: the broker may lose what was sent last, the
        DISCONNECT too, and publish the will.
        """
        if isinstance(self._sock, socket.socket) and self._state == _ConnectionState.MQTT_CS_DISCONNECTING:
            try:
                self._sock.settimeout(GOODBYE_S)
                self._sock.shutdown(socket.SHUT_WR)
                for _ in range(GOODBYE_READS):
                    if not self._sock.recv(READ_BYTES):
                        break
            except OSError:
                pass
        super()._sock_close()
