"""The one rule that chooses k, and the sentence that says why."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from segql.clusterers.kmeans import KMeansFit, Matrix, Points, fit_kmeans, nearest
from segql.diagnostics import NORMAL, quality, stability
from segql.errors import SegqlError, TooFewRowsError
from segql.gap import Gap, GapStatistic, prefers_one_segment

#: Every segment must hold this share of the customers …
SMALLEST_SHARE = 0.02
#: … and come back in bootstraps with this mean Jaccard.
STABLE = 0.75
#: Silhouettes closer than this are as good; the larger k then says more.
AS_GOOD = 0.02
AUTO_RANGE = (2, 10)


@dataclass(frozen=True)
class Trial:
    """One k that was tried, measured on the coreset, with 95 % intervals for all rows.

    The gap statistic is k-means' only.
    """

    k: int
    inertia: float
    inertia_low: float
    inertia_high: float
    silhouette: float
    silhouette_low: float
    silhouette_high: float
    davies_bouldin: float
    davies_bouldin_low: float
    davies_bouldin_high: float
    calinski_harabasz: float
    calinski_harabasz_low: float
    calinski_harabasz_high: float
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    gap_error: float | None
    stability: float
    smallest_share: float


@dataclass(frozen=True)
class Choice:
    """The chosen fit among all trials, and what the whole range says.

    ``elbow`` is the knee of the inertia curve, None when it has none; ``prefers_one`` says that
    the gap statistic finds no more structure in any k tried than in one segment.
    """

    fit: KMeansFit
    trials: tuple[Trial, ...]
    reason: str
    elbow: int | None = None
    prefers_one: bool = False


def parse_k(k: Any) -> tuple[int, int]:
    """Check the ``k`` argument; a single k is a range of one.

    Parameters
    ----------
    k : int, (int, int) or "auto"
    """
    if isinstance(k, str) and k.strip().lower() == "auto":
        return AUTO_RANGE
    if isinstance(k, str) and k.strip().isdigit():
        k = int(k)
    if isinstance(k, np.integer):
        k = int(k)
    accepted = 'accepted: a whole number of at least 1, (min, max), or "auto"'
    if isinstance(k, int) and not isinstance(k, bool) and k >= 1:
        return k, k
    if isinstance(k, list | tuple) and len(k) == 2:
        low, high = k
        whole = all(isinstance(item, int) and not isinstance(item, bool) for item in (low, high))
        if whole and 1 <= low <= high:
            return low, high
    raise SegqlError(f"k got {k!r}; {accepted}")


def choose_k(points: Points, low: int, high: int, seed: int) -> Choice:
    """Fit every k of the range and choose one.

    Among the k whose segments all hold at least 2 % of the customers and reach a bootstrap
    Jaccard of 0.75, the best silhouette; within 0.02 of it the larger k. If none qualifies, the
    best silhouette, and the reason says so.
    """
    single = low == high
    if single and low > points.distinct:
        raise TooFewRowsError(f"k is {low} but there are only {points.distinct} distinct rows")
    high = min(high, points.distinct)
    low = min(low, high)
    fits: dict[int, KMeansFit] = {}
    trials: dict[int, Trial] = {}
    gaps = GapStatistic(points, seed)

    def attempt(k: int, *, quick: bool) -> None:
        fits[k] = fit_kmeans(points, k, seed, quick=quick)
        trials[k] = _trial(points, fits[k], gaps.of(k), seed)

    for k in range(low, high + 1):
        attempt(k, quick=low < high)
    chosen, reason = low, f"k = {low} was asked for"
    searched = {low} if low == high else set()
    while low < high:
        chosen, reason = decide(list(trials.values()))
        if chosen in searched:
            break
        # Only a k that would be chosen is worth the whole search; it is then judged anew.
        attempt(chosen, quick=False)
        searched.add(chosen)
    tried = tuple(trials.values())
    prefers_one = prefers_one_segment(
        gaps.of(1), (gaps.of(trial.k) for trial in tried if trial.k > 1)
    )
    elbow = find_elbow([trial.k for trial in tried], [trial.inertia for trial in tried])
    return Choice(fits[chosen], tried, reason, elbow, prefers_one)


def find_elbow(ks: Sequence[int], inertias: Sequence[float]) -> int | None:
    """Knee of the inertia curve, None when it bends nowhere.

    Kneedle (Satopää et al. 2011) on the decreasing, convex curve.
    """
    if len(ks) < 3:
        return None
    # It loads a good part of SciPy, which a fit of one k does not need.
    from kneed import KneeLocator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = KneeLocator(ks, inertias, curve="convex", direction="decreasing").elbow
    return None if found is None else int(found)


def decide(trials: Sequence[Trial]) -> tuple[int, str]:
    """Apply the rule to the figures of all trials."""
    several = [trial for trial in trials if trial.k > 1] or list(trials)
    sound = [t for t in several if t.smallest_share >= SMALLEST_SHARE and t.stability >= STABLE]
    if not sound:
        best = max(several, key=lambda t: (t.silhouette, t.k))
        return best.k, (
            f"k = {best.k} has the best silhouette ({best.silhouette:.3f}), but no k tried has "
            f"all segments at {SMALLEST_SHARE:.0%} of the customers or more and a bootstrap "
            f"Jaccard of {STABLE} or more: treat the segments as a pattern, not as groups"
        )
    top = max(t.silhouette for t in sound)
    chosen = max((t for t in sound if t.silhouette >= top - AS_GOOD), key=lambda t: t.k)
    best = max(sound, key=lambda t: (t.silhouette, t.k))
    means = (
        f"segments of at least {chosen.smallest_share:.1%}, bootstrap Jaccard "
        f"{chosen.stability:.2f} or more"
    )
    if chosen.k == best.k:
        return chosen.k, (
            f"k = {chosen.k} has the best silhouette ({chosen.silhouette:.3f}) among the stable "
            f"k ({means})"
        )
    return chosen.k, (
        f"k = {chosen.k} has a silhouette ({chosen.silhouette:.3f}) within {AS_GOOD} of the best "
        f"(k = {best.k}: {best.silhouette:.3f}) and says more ({means})"
    )


def _trial(points: Points, fit: KMeansFit, gap: Gap, seed: int) -> Trial:
    labels = nearest(points.values, fit.centroids - points.center)
    measured = quality(points, labels)
    margin = NORMAL * gap.error
    return Trial(
        k=len(fit.centroids),
        gap=gap.gap,
        gap_low=gap.gap - margin,
        gap_high=gap.gap + margin,
        gap_error=gap.error,
        stability=_weakest(points, fit.centroids, seed),
        **asdict(measured),
    )


def _weakest(points: Points, centroids: Matrix, seed: int) -> float:
    return 1.0 if len(centroids) == 1 else float(stability(points, centroids, seed).min())
