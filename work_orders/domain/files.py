"""What a file is, told by its first bytes: the name and type that a browser sends say nothing."""

MAX_BYTES = 8_000_000
PHOTOS = ("image/jpeg", "image/png", "image/webp")
PDF = "application/pdf"
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", PDF: "pdf"}


def kind_of(data: bytes) -> str | None:
    """The media type; None = it is none that is taken here."""
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[:5] == b"%PDF-":
        return PDF
    return None


def why_not(data: bytes, purpose: str) -> str:
    """Why a file is not taken, in words; empty when it is. Signatures and photos are pictures."""
    if not data:
        return "is empty"
    if len(data) > MAX_BYTES:
        return f"is larger than {MAX_BYTES // 1_000_000} MB"
    found = kind_of(data)
    if purpose == "signature" and found != "image/png":
        return "must be a PNG picture"
    if purpose == "photo" and found not in PHOTOS:
        return "must be a JPEG, PNG or WebP picture"
    if found is None:
        return "must be a picture (JPEG, PNG, WebP) or a PDF"
    return ""


def safe_name(name: str, media_type: str) -> str:
    """A file name without a path or anything odd, with the ending of what it really is."""
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or "file"
    kept = "".join(c if c.isalnum() or c in "-_ " else "_" for c in stem).strip()[:80]
    return f"{kept or 'file'}.{ENDINGS[media_type]}"
