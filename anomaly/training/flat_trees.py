"""Trees of scikit-learn as flat arrays: histogram boosting and forests. Tests hold both against the library."""

from typing import Any

import numpy as np

from anomaly.domain.boosted import Trees
from anomaly.domain.layout import Array


def flattened(model: Any) -> Trees:
    """The trees of a fitted HistGradientBoostingRegressor or binary -Classifier (then log odds).

    Raises ValueError where a tree asks for categories.
    """
    nodes = [one.nodes for group in model._predictors for one in group]
    sizes = np.array([len(n) for n in nodes])
    begin = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    every = np.concatenate(nodes)
    own = np.arange(len(every))
    shift = np.repeat(begin, sizes)
    leaf = every["is_leaf"].astype(bool)
    if every["is_categorical"].any():
        raise ValueError("trees on categories cannot be kept as flat arrays")
    return Trees(
        np.where(leaf, 0, every["feature_idx"]).astype(np.int32),
        np.where(leaf, 0.0, every["num_threshold"]),
        np.where(leaf, own, every["left"] + shift).astype(np.int32),
        np.where(leaf, own, every["right"] + shift).astype(np.int32),
        every["missing_go_to_left"].astype(bool),
        np.where(leaf, every["value"], 0.0),
        begin.astype(np.int32),
        int(every["depth"].max()),
        float(np.ravel(model._baseline_prediction)[0]),
    )


def forest(model: Any) -> Trees:
    """The mean of the trees of a fitted forest of regression trees.

    The library rounds rows to 32 bits before it asks; here the thresholds are moved to where that makes a difference,
    so that rows of 64 bits take the same way.
    """
    trees = [one.tree_ for one in model.estimators_]
    sizes = np.array([one.node_count for one in trees])
    begin = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    shift, own = np.repeat(begin, sizes), np.arange(int(sizes.sum()))
    left = np.concatenate([one.children_left for one in trees])
    right = np.concatenate([one.children_right for one in trees])
    leaf = left < 0
    threshold = np.where(leaf, 0.0, np.concatenate([one.threshold for one in trees]))
    missing = np.concatenate([one.missing_go_to_left for one in trees])
    value = np.concatenate([one.value[:, 0, 0] for one in trees])
    return Trees(
        np.where(leaf, 0, np.concatenate([one.feature for one in trees])).astype(np.int32),
        _of_32_bits(threshold),
        np.where(leaf, own, left + shift).astype(np.int32),
        np.where(leaf, own, right + shift).astype(np.int32),
        missing.astype(bool),
        np.where(leaf, value / len(trees), 0.0),
        begin.astype(np.int32),
        max(int(one.max_depth) for one in trees),
        0.0,
    )


def _of_32_bits(threshold: Array) -> Array:
    """The largest number of 64 bits that is at or below the threshold once it is rounded to 32 bits."""
    below = threshold.astype(np.float32)
    below = np.where(below.astype(np.float64) > threshold, np.nextafter(below, np.float32(-np.inf)), below)
    above = np.nextafter(below, np.float32(np.inf))
    middle = (below.astype(np.float64) + above.astype(np.float64)) / 2
    out: Array = np.where(middle.astype(np.float32) == below, middle, np.nextafter(middle, -np.inf))
    return out
