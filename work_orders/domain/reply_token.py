"""A signed name of a conversation, for the address or subject of a mail, so that an answer finds its way back."""

import base64
import hashlib
import hmac
import re

LENGTH = 10
_TOKEN = re.compile(r"\b(T-[a-z2-7]{12})\.([a-z2-7]{16})\b", re.IGNORECASE)


def signature(key: str, conversation: str) -> str:
    """The signature of a conversation's id."""
    digest = hmac.new(key.encode(), conversation.lower().encode(), hashlib.sha256).digest()[:LENGTH]
    return base64.b32encode(digest).decode().lower()


def token(key: str, conversation: str) -> str:
    """`T-7k3qd2ma5xyc.abcdefghijklmnop`."""
    return f"{conversation}.{signature(key, conversation)}"


def tokens_in(*texts: str) -> list[tuple[str, str]]:
    """Conversations and signatures that stand in a mail's addresses and subject, in lower case but for the T."""
    found = [match.groups() for text in texts for match in _TOKEN.finditer(text)]
    return list(dict.fromkeys((f"T{name[1:].lower()}", sign.lower()) for name, sign in found))


def genuine(key: str, conversation: str, signed: str) -> bool:
    """Whether the signature is ours."""
    return bool(key) and hmac.compare_digest(signature(key, conversation).encode(), signed.encode())
