"""The one inequality by which a visit is worth its cost; work orders, evaluations and proofs all ask here."""


def gain(p: float, failure: float, planned: float) -> float:
    """What acting is expected to save: P(failure) x (C_failure - C_planned), in the currency of the costs."""
    return p * (failure - planned)


def acts(p: float, failure: float, planned: float, false_visit: float) -> bool:
    """Whether to act: P(failure) x (C_failure - C_planned) > C_false."""
    return gain(p, failure, planned) > false_visit


def least_chance(failure: float, planned: float, false_visit: float) -> float:
    """The P(failure) above which acting is worth it; infinite = never."""
    return false_visit / (failure - planned) if failure > planned else float("inf")
