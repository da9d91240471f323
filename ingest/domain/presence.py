"""Which devices are off line by themselves, and which only because their gateway is."""

from collections.abc import Collection, Mapping


def roots(away: Collection[str], behind: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Each device that is off line by itself, with those behind it that are off line, too.

    Parameters
    ----------
    away
        Devices that are off line.
    behind
        Device -> the device whose connection speaks for it.
    """
    out: dict[str, list[str]] = {}
    for device in sorted(away):
        root, seen = device, {device}
        while (gateway := behind.get(root, "")) in away and gateway not in seen:
            root = gateway
            seen.add(root)
        out.setdefault(root, [])
        if root != device:
            out[root].append(device)
    return {root: tuple(members) for root, members in out.items()}
