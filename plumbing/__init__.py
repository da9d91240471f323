"""Connections to the outside. Each module imports its library inside itself."""
