"""Telemetry stores behind the port of `contracts.points`."""
