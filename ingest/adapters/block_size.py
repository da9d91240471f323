"""How large a block may be: as much as the stores take in about a second.

What arrives while a block is taken waits until it is done. So however slow the stores are, a fresh reading waits for a
second or two, and no block is so large that it never gets through.
"""

SECOND_S = 1.0
FIRST, SMALLEST = 200_000, 2_000
"""Bytes; the smallest are a few messages."""


class BlockSize:
    """Bytes of the next block: doubled while the stores are quick, cut to what they can do when they are not."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = min(most, FIRST)

    def took(self, size: int, seconds: float) -> None:
        """A block of so many bytes took so long."""
        if seconds > SECOND_S:
            self.bytes = max(SMALLEST, min(self.bytes, int(size * SECOND_S / seconds)))
        elif seconds < SECOND_S / 2 and size >= self.bytes // 2:
            self.bytes = min(self._most, 2 * self.bytes)
