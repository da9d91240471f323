"""A port that is free, the asked-for one first."""

import socket

TRIED = 50


def free(host: str, wanted: int, taken: frozenset[int] = frozenset()) -> int:
    """`wanted` if it can be had, else the next one above it; 0 asks for any. Raises OSError when none is left."""
    if wanted == 0:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    for port in range(wanted, min(65536, wanted + TRIED)):
        if port in taken:
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {wanted} to {wanted + TRIED - 1} on {host}")
