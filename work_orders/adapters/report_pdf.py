"""Turns the report's page into a PDF, in a child process: it takes a second and 100 MB, and only then.

The child reads a request (msgpack) and writes the PDF. Nothing is fetched: pictures stand in the page.
"""

import importlib
import subprocess
import sys
from datetime import datetime

import msgspec

WAIT_SECONDS = 120.0
MISSING = 3
"""Exit code of a child that finds no Pango."""
INSTALL = (
    "PDF needs the library Pango, which is not installed here. On Debian or Ubuntu: apt-get install libpango-1.0-0"
    " libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-core; on macOS: brew install pango. The page is shown as it is."
)


class NoPdf(Exception):
    """The PDF cannot be made; says what to do."""


class Request(msgspec.Struct):
    """What the child is given."""

    html: str
    attached: dict[str, bytes]
    at: datetime
    id: str


def printed(html: str, attached: dict[str, bytes], at: datetime, id: str) -> bytes:
    """The PDF, the same for the same page. `at` and `id` stand in it as its time and identifier. Raises NoPdf."""
    given = msgspec.msgpack.encode(Request(html, attached, at, id))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "work_orders.adapters.report_pdf"], input=given, capture_output=True,
            timeout=WAIT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as slow:
        raise NoPdf(f"The PDF was not ready within {WAIT_SECONDS:.0f} s. Try again when less is going on.") from slow
    if done.returncode == MISSING:
        raise NoPdf(INSTALL)
    if done.returncode or not done.stdout.startswith(b"%PDF-"):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise NoPdf(f"The PDF cannot be made: {''.join(last) or f'the printer ended with {done.returncode}'}")
    return done.stdout


def _print(given: Request) -> bytes:
    from weasyprint import HTML, Attachment
    from weasyprint.urls import URLFetcher

    files = [
        Attachment(string=data, name=name, created=given.at, modified=given.at) for name, data in given.attached.items()
    ]
    made: bytes = HTML(
        string=given.html, url_fetcher=URLFetcher(allowed_protocols=["data"], allow_redirects=False)
    ).write_pdf(attachments=files, pdf_identifier=given.id.encode(), optimize_images=True, dpi=160, jpeg_quality=80)
    return made


def main() -> int:
    """The child."""
    given = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Request)
    try:
        importlib.import_module("weasyprint")
    except OSError:
        return MISSING
    sys.stdout.buffer.write(_print(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
