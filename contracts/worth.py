"""The one inequality by which a visit is worth its cost; work orders, evaluations and proofs all ask here."""


def gain(p: float, failure: float, planned: float) -> float:
    """What acting is expected to save: P(failure) x (C_failure - C_planned), in the currency of the costs."""
    return p * (failure - planned)


def visit(p: float, planned: float, false_visit: float) -> float:
    """What a visit is expected to cost: P(failure) x C_planned + C_false, so that `acts` is where it is the cheaper."""
    return p * planned + false_visit


def knowing(p: float, failure: float, planned: float, false_visit: float) -> float:
    """What it is worth at most to know more before deciding (the expected value of perfect information): who knew would
    send somebody to those that fail and to nobody else."""
    return min(p * failure, visit(p, planned, false_visit)) - p * planned


def from_afar(
    p: float, meanwhile: float, fix: float, works: float, failure: float, planned: float, false_visit: float
) -> float:
    """What trying it from afar is expected to cost: the try, a visit where it does not work, and what a failure
    `meanwhile` (its chance) costs more than a planned visit."""
    return fix + (1 - works) * visit(p, planned, false_visit) + meanwhile * max(0.0, failure - planned)


def acts(p: float, failure: float, planned: float, false_visit: float) -> bool:
    """Whether to act: P(failure) x (C_failure - C_planned) > C_false."""
    return gain(p, failure, planned) > false_visit


def least_chance(failure: float, planned: float, false_visit: float) -> float:
    """The P(failure) above which acting is worth it; infinite = never."""
    return false_visit / (failure - planned) if failure > planned else float("inf")
