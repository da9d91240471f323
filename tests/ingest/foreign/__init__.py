"""Decoders of foreign protocols."""
