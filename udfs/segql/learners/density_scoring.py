"""Score density clusters in SQL, by cells or by balls, and say how often SQL agrees with them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from segql.assignment import Scorer
from segql.balls import cover
from segql.cells import Cells
from segql.clusterers.k_distance import Curve, chosen
from segql.clusterers.kmeans import Labels, Matrix
from segql.density_cells import DensityCells
from segql.errors import SegqlError
from segql.learners.base import Learned, Measured, Training, agreement_in_sql, measure
from segql.named_points import NamedPoints
from segql.space import Space

#: Balls that score above three dimensions, and the points that they are laid on and judged by.
BALLS, BALL_POINTS, JUDGED = 128, 40_000, 100_000


@dataclass(frozen=True)
class Found:
    """Points that were seen and their labels: 0-based, −1 noise."""

    points: Matrix
    labels: Labels


@dataclass(frozen=True)
class Clusters:
    """What an algorithm says of its clusters, whatever scores them.

    Attributes
    ----------
    count : int
    sentence : str
        With what they were found.
    diagnostics : dict of str to (float, str)
    curve : Curve
    stabilities : list of float or None, optional
        Of each cluster; None is infinite.
    """

    count: int
    sentence: str
    diagnostics: dict[str, tuple[float, str]]
    curve: Curve
    stabilities: list[float | None] | None = None


def by_cells(
    training: Training, laid: Cells, clusters: Clusters, judged: Found | None = None
) -> Learned:
    """Score by an equi-join with the cells of a grid; say how often SQL agrees with ``judged``."""
    training.report("measuring")
    engine, space, diagnostics = training.engine, training.space, dict(clusters.diagnostics)
    with ExitStack() as stack:
        table = engine.near.upload(laid.arrow(), "cells")
        stack.callback(engine.near.drop, table)

        def scorer(own: Space) -> DensityCells:
            return DensityCells(own, np.zeros((clusters.count, own.size)), laid.levels, table)

        if judged is not None:
            diagnostics |= agreement_in_sql(training, judged.points, judged.labels, scorer)
        measured = measure(training, scorer(space))
        kept = table
        if np.array_equal(measured.numbers, np.arange(clusters.count + 1)):
            stack.pop_all()
        else:
            kept = engine.near.upload(laid.renumbered(measured.numbers).arrow(), "cells")
        training.stack.callback(engine.near.drop, kept)
    diagnostics["cells"] = (float(len(laid.level)), "Cells that rows are looked up in.")
    diagnostics["listed_points"] = (
        float(len(laid.points)),
        "Points listed in cells beside the clusters"
        + ("." if laid.is_exact else "; of crowded cells the outermost: a new row may miss one."),
    )
    return _learned(
        DensityCells(space, measured.centroids, laid.levels, kept),
        measured,
        replace(clusters, diagnostics=diagnostics),
    )


def by_balls(training: Training, found: Found, clusters: Clusters) -> Learned:
    """Score by balls, and say how often they agree with the labels themselves."""
    training.report("measuring")
    space, count = training.space, clusters.count
    used = chosen(found.points, BALL_POINTS)
    used = used[np.lexsort(found.points[used].T[::-1])]
    # A cluster that the sample misses keeps a ball of its own.
    missing = np.setdiff1d(np.arange(count), found.labels[used])
    extra = [int(np.flatnonzero(found.labels == label)[0]) for label in missing]
    used = np.concatenate([used, np.array(extra, dtype=np.intp)])
    balls = cover(found.points[used], found.labels[used], max(BALLS, 2 * count),
                  training.request.seed)  # fmt: skip

    def scorer(own: Space) -> NamedPoints:
        return NamedPoints(
            own, np.zeros((count, own.size)), balls.centers, balls.labels + 1, balls.radii
        )

    judged = chosen(found.points, JUDGED)
    diagnostics = clusters.diagnostics | agreement_in_sql(
        training, found.points[judged], found.labels[judged], scorer
    )
    diagnostics["balls"] = (float(len(balls.centers)), "Balls that score in SQL.")
    measured = _filled(measure(training, scorer(space)))
    sentence, kept = clusters.sentence, len(measured.centroids)
    if not kept:
        raise SegqlError(
            f"{count} segments with {sentence}, but the numbers span so much that none can be told "
            "apart from noise in SQL; accepted: features without such outliers, or transform them "
            "(winsorize, log1p)"
        )
    if kept < count:
        sentence += f"; {count - kept} more are too small to be told apart from their neighbours"
    numbers = measured.numbers[balls.labels + 1]
    lasting = numbers > 0
    assignment = NamedPoints(space, measured.centroids, balls.centers[lasting],
                             numbers[lasting], balls.radii[lasting])  # fmt: skip
    told_apart = replace(clusters, count=kept, sentence=sentence, diagnostics=diagnostics)
    return _learned(assignment, measured, told_apart)


def _filled(measured: Measured) -> Measured:
    """Leave out segments that no row belongs to, the last ones by size: their number is 0."""
    figures = measured.figures
    kept = int((figures.sizes > 0).sum())
    numbers = np.where(measured.numbers <= kept, measured.numbers, 0)
    fewer = replace(
        figures,
        sizes=figures.sizes[:kept],
        silhouettes=figures.silhouettes[:kept],
        mean_squares=figures.mean_squares[:kept],
        means=figures.means[:kept],
    )
    return Measured(fewer, measured.centroids[:kept], numbers)


def _learned(assignment: Scorer, measured: Measured, clusters: Clusters) -> Learned:
    noise, count = measured.figures.metrics["noise_share"], clusters.count
    ordered: list[float | None] | None = None
    if clusters.stabilities is not None:
        ordered = [None] * count
        for number, value in zip(measured.numbers[1:], clusters.stabilities, strict=True):
            if number > 0:
                ordered[int(number) - 1] = value
    return Learned(
        assignment=assignment,
        figures=measured.figures,
        trials=[],
        reason=f"{count} {'segment' if count == 1 else 'segments'} and {noise:.1%} noise with "
        f"{clusters.sentence}",
        diagnostics=clusters.diagnostics
        | {"noise_share": (noise, "Share of the customers that belong to no segment.")},
        stabilities=ordered,
        curve=clusters.curve,
    )
