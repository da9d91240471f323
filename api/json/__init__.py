"""The JSON API under /api/v1, and what programs ask besides."""
