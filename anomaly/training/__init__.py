"""Fits models from past failures and keeps them: data to arrays, arrays to files, files to the registry."""
