"""What stands behind an option: ports, files, numbers. Wrong ones are refused before anything begins."""

import argparse
import os
from pathlib import Path


def port(text: str) -> int:
    """A TCP port, 0 to 65535."""
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} must be a port, 0 to 65535")
    return int(text)


def address(text: str) -> str:
    """An address that this computer has: known before anything else begins."""
    import socket

    try:
        with socket.socket(socket.AF_INET6 if ":" in text else socket.AF_INET) as probe:
            probe.bind((text, 0))
    except OSError as failure:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be an address of this computer, such as 127.0.0.1 or 0.0.0.0 ({failure.strerror})"
        ) from failure
    return text


def new_file(text: str) -> Path:
    """A file that can be written: known before the work begins, not after it."""
    path = Path(text)
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} must be a file in a folder that can be written")
    return path


def number(text: str) -> float:
    """A number, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= 0 or value == float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number, 0 or more")
    return value


def speed(text: str) -> float:
    """A speed, 0 or more."""
    return number(text)


def positive(text: str) -> float:
    """A number above 0."""
    if (value := number(text)) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be above 0")
    return value


def count(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)
