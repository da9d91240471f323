"""One-time claim codes: short enough to type, random enough not to be guessed while they are good.

Ten characters of an alphabet of 32 are 50 bits. A code is good for an hour by default, and at most `MAX_TRIES_OF_ALL`
wrong ones are heard a minute: with 1,000 codes open, whoever guesses all day long has a chance below 1 in a million.
"""

import hashlib
import random
from datetime import timedelta

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
LENGTH = 10
MAX_TRIES = 10
"""Wrong codes a minute from one address."""
MAX_TRIES_OF_ALL = 300
"""Wrong codes a minute in all."""
TRIES_WINDOW_S = 60
DEFAULT_LIFE = timedelta(hours=1)
LONGEST_LIFE = timedelta(days=30)
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})


def fresh(rng: random.Random) -> str:
    """A code as people read it: `7K2M9-QX4TD`. `rng` must be a cryptographic one outside of tests."""
    text = "".join(rng.choice(ALPHABET) for _ in range(LENGTH))
    return f"{text[:5]}-{text[5:]}"


def plain(given: str) -> str | None:
    """A code as it is compared: upper case, without dashes and blanks; None for what can be no code."""
    text = given.upper().replace("-", "").replace(" ", "").translate(_ALIKE)
    return text if len(text) == LENGTH and set(text) <= set(ALPHABET) else None


def kept(code: str) -> str:
    """A plain code as it is kept.

    50 bits cannot be slowed down enough to withstand whoever has the database; there it is good for its hour at most.
    """
    return hashlib.sha256(f"forewarn claim {code}".encode()).hexdigest()
