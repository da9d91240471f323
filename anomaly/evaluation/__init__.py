"""Proof: the live code on public data and on the user's own past, with all figures together."""
