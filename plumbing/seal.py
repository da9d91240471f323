"""The seal of a service report: a signature over every byte of the PDF, appended behind its end.

A PDF reader passes over the seal, which is a comment and the file's end once more. The signature covers all bytes
before it, and the seal itself has one spelling only: so no byte of the file can change unseen, neither what is read nor
what is attached.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

PURPOSE = b"forewarn service report v1\n"
_BEGIN = b"\n% forewarn-seal v1 "
_START = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_SEAL = re.compile(rb"\n% forewarn-seal v1 (ed25519:[A-Za-z0-9+/]{43}=) ([A-Za-z0-9+/]{86}==)\n")


class NoPdf(ValueError):
    """What is to be sealed does not end as a PDF does."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed file in its parts; whether the signature fits is for others to say."""

    content: bytes
    key: str
    signature: str


def message_of(content: bytes) -> bytes:
    """What is signed."""
    return PURPOSE + hashlib.sha256(content).digest()


def seal(pdf: bytes, key: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The PDF with its seal. Raises NoPdf."""
    return pdf + _trailer(pdf, key, base64.b64encode(sign(message_of(pdf))).decode())


def _trailer(pdf: bytes, key: str, signature: str) -> bytes:
    start = _START.search(pdf[-200:])
    if start is None or not pdf.startswith(b"%PDF-"):
        raise NoPdf("no PDF")
    return b"%s%s %s\nstartxref\n%s\n%%%%EOF\n" % (_BEGIN, key.encode(), signature.encode(), start[1])


def opened(data: bytes) -> Sealed | None:
    """The parts of a sealed file; None when it has no seal, or one that is spelt another way."""
    begin = data.rfind(_BEGIN)
    found = _SEAL.match(data, begin) if begin >= 0 else None
    if found is None:
        return None
    content, key, signature = data[:begin], found[1].decode(), found[2].decode()
    try:
        whole = _trailer(content, key, signature)
    except NoPdf:
        return None
    return Sealed(content, key, signature) if data[begin:] == whole else None
