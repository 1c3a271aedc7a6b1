"""One plain rule for each cluster: a conjunction of few conditions, found by a beam search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segql.clusterers.kmeans import Labels, Matrix
from segql.threads import one_thread

#: Conditions of a rule, and rules that are carried on at each length.
CONDITIONS, BEAM = 4, 12
#: A rule must cover this share of its cluster; a little more than is promised, for it is searched
#: on a sample.
COVERAGE = 0.7
#: Among rules that are at least so precise, the one that covers most is taken.
PRECISE = 0.92
#: What a further condition must add to the precision.
WORTH = 0.005


@dataclass(frozen=True)
class Condition:
    """A test of one column; ``test`` is over its position and value.

    Attributes
    ----------
    feature : int
        Position of the column.
    operator : {"<=", ">", "=", "<>"}
    value : float or str
    """

    feature: int
    operator: str
    value: float | str


@dataclass(frozen=True)
class Rule:
    """Conditions that hold together, and what they do on the points that they were found on."""

    conditions: tuple[Condition, ...]
    coverage: float
    precision: float


def find_rules(
    holds: NDArray[np.bool_],
    conditions: Sequence[Condition],
    labels: Labels,
    weights: Matrix,
    k: int,
) -> list[Rule | None]:
    """Find one rule for each cluster.

    Parameters
    ----------
    holds : ndarray of bool, shape (n_conditions, n)
        Whether each condition holds for each point.
    conditions : sequence of Condition
    labels : ndarray of int, shape (n,)
        Cluster of each point from 0; others belong to none of the k.
    weights : ndarray of shape (n,)
    k : int

    Returns
    -------
    list of Rule or None
        None where no rule covers enough of the cluster.

    Notes
    -----
    Beam search for the conjunction of highest precision under a least coverage, as in CN2 (Clark &
    Niblett 1989): a path of a one-against-the-rest tree that no greedy first split forces.
    """
    with one_thread():
        matrix = holds.astype(np.float32)
        return [_find(matrix, conditions, labels == label, weights) for label in range(k)]


def _find(
    holds: NDArray[np.float32],
    conditions: Sequence[Condition],
    is_own: NDArray[np.bool_],
    weights: Matrix,
) -> Rule | None:
    own, other = (weights * is_own).astype(np.float32), (weights * ~is_own).astype(np.float32)
    total = float(own.sum(dtype=np.float64))
    if total == 0:
        return None
    # A second bound on the same side of a column says nothing new.
    alike = [
        [
            index
            for index, other_one in enumerate(conditions)
            if (other_one.feature, other_one.operator) == (one.feature, one.operator)
            and (one.operator != "<>" or other_one == one)
        ]
        for one in conditions
    ]
    best: Rule | None = None
    beam: list[tuple[int, ...]] = [()]
    seen: set[tuple[int, ...]] = set()
    for _ in range(CONDITIONS):
        masks = np.ones((len(beam), holds.shape[1]), dtype=np.float32)
        for row, chosen in enumerate(beam):
            for index in chosen:
                masks[row] *= holds[index]
        inside = (masks * own) @ holds.T
        outside = (masks * other) @ holds.T
        found: list[tuple[float, float, tuple[int, ...]]] = []
        coverage = inside / total
        precision = inside / np.maximum(inside + outside, 1e-30)
        barred = {
            (row, index)
            for row, chosen in enumerate(beam)
            for old in chosen
            for index in alike[old]
        }
        for row, chosen in enumerate(beam):
            order = np.argsort(-precision[row], kind="stable")
            taken = 0
            for index in order:
                longer = tuple(sorted((*chosen, int(index))))
                if coverage[row, index] < COVERAGE or longer in seen or (row, index) in barred:
                    continue
                seen.add(longer)
                found.append((float(precision[row, index]), float(coverage[row, index]), longer))
                taken += 1
                if taken == 2 * BEAM:
                    break
        if not found:
            break
        # Half of the beam by precision, half by what is both precise and covers much.
        by_precision = sorted(found, key=lambda item: (-item[0], -item[1], item[2]))
        by_both = sorted(found, key=lambda item: (-item[0] * item[1], item[2]))
        beam = list(
            dict.fromkeys(
                item[2] for pair in zip(by_precision, by_both, strict=True) for item in pair
            )
        )[:BEAM]
        for precise, covers, chosen in by_precision:
            rule = Rule(tuple(conditions[index] for index in chosen), covers, precise)
            if best is None or _better(rule, best):
                best = rule
    return best


def _better(rule: Rule, best: Rule) -> bool:
    """Prefer coverage among the precise, precision otherwise, and fewer conditions at a draw."""
    if min(rule.precision, best.precision) >= PRECISE:
        return rule.coverage > best.coverage + WORTH * (
            len(rule.conditions) - len(best.conditions) + 1
        )
    more = len(rule.conditions) - len(best.conditions)
    return rule.precision > best.precision + WORTH * max(more, 0)
