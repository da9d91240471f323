"""The agent's own check of signatures against the library that the platform signs with."""

import os
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.domain.ed25519 import is_signature

VECTORS = [  # RFC 8032, section 7.1: tests 1 to 3 (public key, message, signature)
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc_hold(key: str, message: str, signature: str) -> None:
    assert is_signature(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))


def test_it_agrees_with_the_library() -> None:
    dice = random.Random(1)
    for _ in range(10):
        private = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        public, message = private.public_key().public_bytes_raw(), dice.randbytes(dice.randrange(300))
        signature = private.sign(message)
        assert is_signature(public, message, signature)
        bad = bytearray(signature)
        bad[dice.randrange(64)] ^= 1 << dice.randrange(8)
        assert not is_signature(public, message, bytes(bad))
        assert not is_signature(public, message + b"x", signature)


def test_noise_is_no_signature() -> None:
    for size in (0, 31, 32, 33, 64):
        assert not is_signature(os.urandom(size), b"x", os.urandom(64))
    assert not is_signature(b"\xff" * 32, b"x", b"\xff" * 64)


def test_a_key_of_small_order_signs_nothing() -> None:
    identity = (1).to_bytes(32, "little")
    assert not is_signature(identity, b"x", identity + bytes(32))


def test_a_signature_with_a_larger_s_is_no_second_one() -> None:
    private = Ed25519PrivateKey.generate()
    signature = private.sign(b"x")
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signature[32:], "little") + order
    again = signature[:32] + s.to_bytes(32, "little")
    assert not is_signature(private.public_key().public_bytes_raw(), b"x", again)
