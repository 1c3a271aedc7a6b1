"""How each algorithm fits: which options it has, and the kernel and SQL that it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segql.learners import density, hierarchical, kmeans
from segql.learners.base import Learned, Training


@dataclass(frozen=True)
class Algorithm:
    """One algorithm: its own options, the check of them and of k, and the fit.

    One that ``finds_rules`` does so on the coreset, which carries the columns for it.
    """

    options: tuple[str, ...]
    check: Callable[[dict[str, Any]], None]
    learn: Callable[[Training], Learned]
    finds_rules: bool = False


ALGORITHMS = {
    "kmeans": Algorithm((), kmeans.check, kmeans.learn, finds_rules=True),
    "hierarchical": Algorithm(("linkage",), hierarchical.check, hierarchical.learn),
    "dbscan": Algorithm(("eps", "min_samples"), density.check, density.learn_dbscan),
    "hdbscan": Algorithm(("min_samples",), density.check, density.learn_hdbscan),
}

__all__ = ["ALGORITHMS", "Algorithm", "Learned", "Training"]
