"""What a mail says, and to which conversation it belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_orders.domain.quoted import said
from work_orders.domain.reply_token import genuine, signature, token, tokens_in


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        ("Yes, Tuesday is fine.", "Yes, Tuesday is fine."),
        ("Yes.\r\n\r\n-- \r\nIda Kunde\r\nWaterworks", "Yes."),
        ("Yes.\n\nOn Tue, 24 Nov 2026 at 10:00, Service <s@x.org> wrote:\n> When may we come?\n> Bye", "Yes."),
        ("Yes.\n\nOn Tue, 24 Nov 2026 at 10:00, Service\n<s@x.org> wrote:\n> When?", "Yes."),
        ("Ja.\n\nAm 24.11.2026 um 10:00 schrieb Service:\n> Wann?", "Ja."),
        ("可以。\n\n在 2026年11月24日 10:00，Service 写道：\n> 什么时候？", "可以。"),
        ("Call me\n\n-----Original Message-----\nFrom: Service\nSent: Tuesday", "Call me"),
        ("Call me\n\nFrom: Service <s@x.org>\nSent: Tuesday\nTo: Ida\nSubject: Pump", "Call me"),
        ("Call me\nSent from my phone", "Call me"),
        ("> When may we come?\nTuesday\n> And who?\nIda", "Tuesday\nIda"),
        ("From: the pump room it drips.\nSince Monday.", "From: the pump room it drips.\nSince Monday."),
        ("On Tuesday nobody is here.", "On Tuesday nobody is here."),
        ("> only quoted", "> only quoted"),
        ("", ""),
    ],
)
def test_quotations_and_signatures_are_left_out(mail: str, expected: str) -> None:
    assert said(mail) == expected


@given(st.text(max_size=300))
def test_nothing_is_added_and_something_always_stays(mail: str) -> None:
    found = said(mail)
    assert bool(found) == bool(mail.strip())
    assert set(found.split()) <= set(mail.split()) | set(mail.replace("\r", "\n").split())


def test_a_token_is_found_in_address_or_subject_and_only_ours_is_genuine() -> None:
    made = token("secret", "T-7k3qd2ma5xyc")
    texts = (f"service+{made.upper()}@example.org", f"Re: Pump 1 [{made}]")
    assert tokens_in(*texts) == [("T-7k3qd2ma5xyc", signature("secret", "T-7k3qd2ma5xyc"))]
    assert genuine("secret", *tokens_in(*texts)[0])
    assert not genuine("other", *tokens_in(*texts)[0])
    assert not genuine("secret", "T-aaaaaaaaaaaa", tokens_in(*texts)[0][1])
    assert tokens_in("T-7k3qd2ma5xyc", "nothing") == []


def test_a_line_that_no_mail_program_writes_is_somebodys_words() -> None:
    assert said("Yes.\n" + "x" * 600 + " 写道:\nNo.").endswith("No.")
    assert said("Yes.\n" + " " * 600 + "Ida 写道:\n> No.") == "Yes."
