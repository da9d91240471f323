"""What ingest does: take blocks of messages, keep the registry, answer for every sample."""
