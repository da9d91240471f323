"""Texts in cells of a spreadsheet: what would be taken for a formula carries an apostrophe, which reading takes off.

Spreadsheet programs run a cell of a CSV file that begins with `=`, `+`, `-`, `@`, a tab or a return; a name that a
customer chose must not be run on the computer of whoever opens the file.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"-\d+(\.\d+)?([eE][+-]?\d+)?")


def calm(text: str) -> str:
    """The text as it is written into a cell; a negative number stays one."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain(cell: str) -> str:
    """The text that a cell stands for."""
    return cell[1:] if _MARKED.match(cell) else cell
