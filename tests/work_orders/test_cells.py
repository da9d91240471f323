"""What goes into a spreadsheet runs there as nothing, and comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_orders.adapters.sheets import sheets_in
from work_orders.domain.cells import calm, plain


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Dairy", "Dairy"), ("", ""), ("=1+1", "'=1+1"), ("+49 30 123", "'+49 30 123"), ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"), ("-12.5", "-12.5"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("'=1", "''=1"), ("it's", "it's"),
        ("'quoted'", "'quoted'"),
    ],
)  # fmt: skip
def test_what_a_program_would_run_carries_an_apostrophe(text: str, cell: str) -> None:
    assert calm(text) == cell
    assert plain(cell) == text


@given(st.text(st.sampled_from("'=+-@\t\r1.e "), max_size=8))
def test_every_text_comes_back(text: str) -> None:
    assert plain(calm(text)) == text
    assert calm(text)[:1] not in tuple("=+@\t\r")


def test_a_file_is_read_as_it_was_written() -> None:
    (read,) = sheets_in("customers.csv", b"id,name\nk-1,'=HYPERLINK(1)\nk-2,it's\n")
    assert read.cells == [["k-1", "=HYPERLINK(1)"], ["k-2", "it's"]]
