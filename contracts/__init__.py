"""The words and messages that all parts of Forewarn speak. Parses what it is given; no I/O."""
