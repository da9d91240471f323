"""The tree of an audit checkpoint, beside a slow one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plumbing.audit_tree import leaf_hash, node_hash, path_of, root_by_path, root_of


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
def test_paths_lead_to_the_root_as_a_slow_tree_makes_it(leaves: list[bytes], data: Any) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves]

    def slow(of: list[bytes]) -> bytes:
        if len(of) == 1:
            return of[0]
        k = 1
        while k * 2 < len(of):
            k *= 2
        return node_hash(slow(of[:k]), slow(of[k:]))

    assert root_of(hashes) == slow(hashes)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = path_of(hashes, index)
    assert root_by_path(hashes[index], index, len(leaves), path) == slow(hashes)
    assert root_by_path(hashes[index], index, len(leaves), [*path, hashes[0]]) is None
    assert root_by_path(hashes[index], len(leaves), len(leaves), path) is None
