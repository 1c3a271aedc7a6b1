"""How many customers of a segment are held out: a share in whole numbers, from a random start."""

from __future__ import annotations

import hashlib

#: A share is counted in so many parts of a customer.
PARTS = 1_000_000_000
#: Digits of an md5 that make a number, 60 bits.
DIGITS = 15


def start_of(segment_key: str, customers: int, seed: int, held_parts: int) -> int:
    """Draw where the counting of the share starts, so that on average the share is exact.

    Parameters
    ----------
    segment_key : str
    customers : int
        Customers of the segment.
    seed : int
    held_parts : int
        The share, in parts.

    Returns
    -------
    int
        From 0 to below ``PARTS``, so that of two customers or more neither nobody nor everybody
        is held out.
    """
    if held_parts == 0:
        return 0
    digest = hashlib.md5(f"{seed}:segment:{segment_key}".encode(), usedforsecurity=False)
    start = int(digest.hexdigest()[:DIGITS], 16) % PARTS
    return min(max(start, PARTS - customers * held_parts), customers * (PARTS - held_parts) - 1)


def held_out(customers: int, start: int, held_parts: int) -> int:
    """Count the held out among the first so many customers of a segment."""
    return (customers * held_parts + start) // PARTS
