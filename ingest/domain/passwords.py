"""Secrets of devices and services, kept as PBKDF2-SHA512 in the form that Mosquitto reads: `$7$101$salt$hash`.

A secret has 256 random bits: it cannot be guessed, so a hundred rounds are as good as a million, and a broker that
checks a hundred reconnecting devices is not held up.
"""

import base64
import binascii
import hashlib
import hmac

ITERATIONS = 101
SALT_BYTES = 12
KEY_BYTES = 64


def hashed(secret: str, salt: bytes) -> str:
    """The secret as it is kept."""
    key = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, ITERATIONS, KEY_BYTES)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def matches(secret: str, kept: str) -> bool:
    """Whether `kept` was made from this secret."""
    try:
        empty, form, rounds, salt, key = kept.split("$")
        wanted = base64.b64decode(key, validate=True)
        given = hashlib.pbkdf2_hmac(
            "sha512", secret.encode("utf-8", "surrogatepass"), base64.b64decode(salt), int(rounds), len(wanted)
        )
    except (ValueError, binascii.Error):
        return False
    return empty == "" and form == "7" and len(wanted) == KEY_BYTES and hmac.compare_digest(given, wanted)
