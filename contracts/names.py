"""Names that travel in topics, tags and URLs."""

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
BOOT_ID = re.compile(r"[0-9a-f]{8,32}")
MAX_SEQ = 2**53 - 1
NAME_RULE = "1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit"


def is_name(text: str) -> bool:
    """Whether `text` may name a tenant, a device or a signal."""
    return NAME.fullmatch(text) is not None


def is_boot_id(text: str) -> bool:
    """Whether `text` may name an outbox."""
    return BOOT_ID.fullmatch(text) is not None
