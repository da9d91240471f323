"""The device link: registry and secrets, accept or quarantine each value, account for every sample."""
