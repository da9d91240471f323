"""Boosted trees of scikit-learn as flat arrays. Tests hold them against the library."""

from typing import Any

import numpy as np

from anomaly.domain.boosted import Trees


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
