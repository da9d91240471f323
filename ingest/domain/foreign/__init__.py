"""Decoders: what devices of other systems send, made over into the product's own normal form."""

from ingest.domain.foreign.decoder import Decoder
from ingest.domain.foreign.influx import Influx
from ingest.domain.foreign.sparkplug import Sparkplug
from ingest.domain.foreign.thingsboard import ThingsBoard


def decoders() -> list[Decoder]:
    """Those that come with the product; the conformance suite walks them."""
    return [Sparkplug(), ThingsBoard(), Influx()]
