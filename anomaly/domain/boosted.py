"""Boosted regression trees as flat arrays: a few numpy steps a row, no library of learning needed to ask them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array

Index = NDArray[np.int32]
MOST_AT_ONCE = 60_000
"""Rows times trees that are followed side by side: few enough to stay in the processor's own memory."""


@dataclass(frozen=True)
class Trees:
    """A sum of trees. Nodes of all trees stand in one array each; a leaf is its own child."""

    feature: Index
    """(nodes,), the column that a node asks."""
    threshold: Array
    """(nodes,), at or below it a row goes left."""
    left: Index
    right: Index
    missing_left: NDArray[np.bool_]
    """(nodes,), whether a row without that value goes left."""
    value: Array
    """(nodes,), what a leaf adds."""
    roots: Index
    """(trees,)."""
    depth: int
    base: float

    def __call__(self, x: Array) -> Array:
        """The sum for each row (n, features); NaN = not known."""
        size = max(1, MOST_AT_ONCE // max(1, len(self.roots)))
        pieces = [self._few(x[at : at + size]) for at in range(0, len(x), size)]
        return np.concatenate(pieces) if pieces else np.zeros(0)

    def _few(self, x: Array) -> Array:
        rows, columns, trees = *x.shape, len(self.roots)
        flat = np.ascontiguousarray(x).ravel()
        lacking = bool(np.isnan(flat).any())
        at = np.tile(self.roots, rows)
        on = np.flatnonzero(self.left.take(at) != at)
        node, begin = at.take(on), np.repeat(np.arange(rows) * columns, trees).take(on)
        for _ in range(self.depth):
            seen = flat.take(begin + self.feature.take(node))
            left = seen <= self.threshold.take(node)
            if lacking:
                left |= np.isnan(seen) & self.missing_left.take(node)
            node = np.where(left, self.left.take(node), self.right.take(node))
            at[on] = node
            further = np.flatnonzero(self.left.take(node) != node)
            if len(further) == 0:
                break
            on, node, begin = on.take(further), node.take(further), begin.take(further)
        out: Array = self.base + self.value.take(at).reshape(rows, trees).sum(1)
        return out

    def fault(self, features: int) -> str:
        """What is wrong with the arrays, as a few words; empty = every row ends in a leaf within `depth` steps."""
        nodes = len(self.feature)
        if not all(len(a) == nodes for a in (self.threshold, self.left, self.right, self.missing_left, self.value)):
            return "arrays of different lengths"
        children = np.concatenate([self.left, self.right, self.roots])
        if len(children) and not (children.min() >= 0 and children.max() < nodes):
            return "a child that is not there"
        if nodes and not (self.feature.min() >= 0 and self.feature.max() < features):
            return "a feature that is not there"
        if not np.isfinite(self.value).all() or not np.isfinite(self.base):
            return "a value that is no number"
        return ""


def mean_of(several: list[Trees]) -> Trees:
    """Trees whose sum is the mean of the sums of several."""
    begin = np.cumsum([0, *(len(t.feature) for t in several)])[:-1]
    n = len(several)

    def moved(name: str) -> Index:
        return np.concatenate([getattr(t, name) + at for t, at in zip(several, begin, strict=True)]).astype(np.int32)

    return Trees(
        np.concatenate([t.feature for t in several]),
        np.concatenate([t.threshold for t in several]),
        moved("left"),
        moved("right"),
        np.concatenate([t.missing_left for t in several]),
        np.concatenate([t.value / n for t in several]),
        moved("roots"),
        max(t.depth for t in several),
        sum(t.base for t in several) / n,
    )
