"""Logging to stderr, one line an event: time, level, where, what. Secrets are masked before a line is written."""

import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import TextIO

LEVEL = "FOREWARN_LOG_LEVEL"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MASK = "***"

# user:password@ of a URL, also where the password holds what should be escaped (up to the last @ before / ? # or space)
_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@?#]*):[^\s/?#]+@")
_TOKEN = re.compile(
    r"(Authorization['\"]?\s*:\s*['\"]?(?:Token|Bearer|Basic)\s+|\b(?:token|api_key|password|secret)=)[^\s&'\"]+",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text without passwords of URLs, and without tokens as HTTP headers and queries carry them."""
    return _TOKEN.sub(rf"\1{MASK}", _PASSWORD.sub(rf"\1:{MASK}@", text))


class MaskingFormatter(logging.Formatter):
    """Lines as `2026-11-22T10:00:00.123Z WARNING plumbing.mqtt: text`; an exception follows indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """One event; further lines are indented, so that no message can pass for another event."""
        return masked(super().format(record)).rstrip("\n").replace("\r", "\\r").replace("\n", "\n    ")


def level_of(environ: Mapping[str, str]) -> str:
    """The level asked for, INFO by default. Raises ValueError in words."""
    level = environ.get(LEVEL, "").strip().upper() or "INFO"
    if level not in LEVELS:
        raise ValueError(f"{LEVEL} is {level!r}, it must be one of {', '.join(LEVELS)}")
    return level


def set_up(environ: Mapping[str, str] | None = None, stream: TextIO | None = None) -> None:
    """Send all logging to stderr; takes the place of an earlier set-up. Raises ValueError for an unknown level."""
    level = level_of(os.environ if environ is None else environ)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(MaskingFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # these tell of every request and packet below WARNING
    for name in ("urllib3", "httpx", "httpcore", "alembic", "asyncio", "amqtt", "transitions", "matplotlib"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
