"""Secrets of the web: random tokens, kept only as their hash, and passwords with argon2."""

import functools
import hashlib
import secrets

import argon2

BYTES = 32
_hasher = argon2.PasswordHasher()


def token() -> str:
    """256 random bits for a URL, a cookie or a header."""
    return secrets.token_urlsafe(BYTES)


def new_id() -> str:
    """Id of a new row."""
    return secrets.token_hex(8)


def digest(secret: str) -> str:
    """What the database keeps of a token (256 random bits need no slow hash)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hash_password(password: str) -> str:
    """argon2id, the library's present settings."""
    return _hasher.hash(password)


@functools.cache
def _nobody() -> str:
    return hash_password(token())


def password_fits(kept: str | None, given: str) -> bool:
    """Whether the password is right; takes as long when there is none on record."""
    try:
        return _hasher.verify(kept or _nobody(), given) and kept is not None
    except (argon2.exceptions.VerifyMismatchError, argon2.exceptions.InvalidHashError):
        return False
