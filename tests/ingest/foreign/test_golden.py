"""Conversations of real programs, recorded: what was told then is told now. Needs none of the programs."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from ingest.domain.foreign import decoders
from ingest.domain.foreign.decoder import Reply, Told
from tests.ingest.foreign.payloads import AT_MS, GATE, NODE

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def told_as_json(told: Told) -> dict[str, object]:
    """As the files have it."""
    if isinstance(told, Reply):
        return {"kind": "Reply", "topic": told.topic, "body": told.body.hex()}
    return {"kind": type(told).__name__, **json.loads(json.dumps(asdict(told), default=dict))}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_what_was_told_then_is_told_now(path: Path) -> None:
    messages = json.loads(path.read_text())
    assert len(messages) >= 3
    decoder = next(d for d in decoders() if d.takes(messages[0]["topic"]))
    station, session = (NODE if decoder.name == "sparkplug" else GATE), decoder.session({})
    for message in messages:
        told = decoder.decode(station, session, message["topic"], bytes.fromhex(message["body"]), AT_MS)
        assert [told_as_json(each) for each in told] == message["told"], message["topic"]


def test_there_are_recordings() -> None:
    assert len(GOLDEN) >= 3
