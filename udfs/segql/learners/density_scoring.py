"""Score density clusters in SQL, by cells or by balls, and say how often SQL agrees with them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segql.assignment import Assignment
from segql.balls import cover
from segql.cells import Cells
from segql.clusterers.k_distance import Curve, chosen
from segql.clusterers.kmeans import Labels, Matrix
from segql.density_cells import DensityCells
from segql.labelled import told
from segql.learners.base import Learned, Measured, Training, agreement, measure
from segql.named_points import NamedPoints
from segql.space import Space

#: Balls that score above three dimensions, and the points that they are laid on and judged by.
BALLS, BALL_POINTS, JUDGED = 128, 40_000, 100_000


@dataclass(frozen=True)
class Found:
    """Labels of the points that were seen; 0-based, −1 noise, borders named by the nearest core."""

    points: Matrix
    labels: Labels
    is_core: NDArray[np.bool_]


def by_cells(
    training: Training,
    laid: Cells,
    count: int,
    sentence: str,
    diagnostics: dict[str, tuple[float, str]],
    curve: Curve,
    stabilities: list[float | None] | None = None,
) -> Learned:
    """Score by an equi-join with the cells of a grid."""
    training.report("measuring")
    engine, space = training.engine, training.space
    with ExitStack() as stack:
        table = engine.upload(laid.arrow(), "cells")
        stack.callback(engine.drop, table)
        provisional = DensityCells(space, np.zeros((count, space.size)), laid.levels, table)
        measured = measure(training, provisional)
        if np.array_equal(measured.numbers, np.arange(count + 1)):
            training.stack.callback(engine.drop, table)
            stack.pop_all()
        else:
            table = engine.upload(laid.renumbered(measured.numbers).arrow(), "cells")
            training.stack.callback(engine.drop, table)
    diagnostics["cells"] = (float(len(laid.level)), "Cells that rows are looked up in.")
    return _learned(
        training,
        DensityCells(space, measured.centroids, laid.levels, table),
        measured, count, sentence, diagnostics, curve, stabilities,
    )  # fmt: skip


def by_balls(
    training: Training,
    found: Found,
    count: int,
    sentence: str,
    diagnostics: dict[str, tuple[float, str]],
    curve: Curve,
    stabilities: list[float | None] | None = None,
) -> Learned:
    """Score by balls, and say how often they agree with the labels themselves."""
    training.report("measuring")
    space = training.space
    used = chosen(found.points, BALL_POINTS)
    order = np.lexsort(found.points[used].T[::-1])
    used = used[order]
    # A cluster that the sample misses keeps a ball of its own.
    missing = np.setdiff1d(np.arange(count), found.labels[used])
    extra = [int(np.flatnonzero(found.labels == label)[0]) for label in missing]
    used = np.concatenate([used, np.array(extra, dtype=np.intp)])
    balls = cover(found.points[used], found.labels[used], max(BALLS, 2 * count),
                  training.request.seed)  # fmt: skip
    judged = chosen(found.points, JUDGED)
    diagnostics |= agreement_in_sql(
        training,
        found.points[judged],
        found.labels[judged],
        lambda own: NamedPoints(
            own, np.zeros((count, own.size)), balls.centers, balls.labels + 1, balls.radii
        ),
    )
    diagnostics |= {
        "balls": (float(len(balls.centers)), "Balls that score in SQL."),
    }
    provisional = NamedPoints(space, np.zeros((count, space.size)), balls.centers,
                              balls.labels + 1, balls.radii)  # fmt: skip
    measured, kept = _filled(measure(training, provisional))
    if kept < count:
        sentence += f"; {count - kept} more are too small to be told apart from their neighbours"
        stabilities = None if stabilities is None else [
            item for item, number in zip(stabilities, measured.numbers[1:], strict=True) if number
        ]  # fmt: skip
    numbers = measured.numbers[balls.labels + 1]
    told_apart, count = numbers > 0, kept
    assignment = NamedPoints(space, measured.centroids, balls.centers[told_apart],
                             numbers[told_apart], balls.radii[told_apart])  # fmt: skip
    if stabilities is not None:
        measured = replace(
            measured, numbers=measured.numbers[np.append(True, measured.numbers[1:] > 0)]
        )
    return _learned(
        training, assignment, measured, count, sentence, diagnostics, curve, stabilities
    )


def _filled(measured: Measured) -> tuple[Measured, int]:
    """Leave out segments that no row belongs to: the last ones by size."""
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
    return Measured(fewer, measured.centroids[:kept], numbers), kept


def agreement_in_sql(
    training: Training,
    points: Matrix,
    labels: Labels,
    assign: Callable[[Space], Assignment],
) -> dict[str, tuple[float, str]]:
    """How often SQL gives a row the cluster that the algorithm itself gave it."""
    found = told(training.engine, points, assign) - 1
    return {
        "agreement": (
            float((found == labels).mean()),
            "Share of the rows whose segment in SQL is that of the algorithm's own clusters.",
        ),
        "agreement_ari": (
            agreement(found, labels, np.ones(len(labels))),
            "Adjusted Rand index of the segments in SQL and the algorithm's own clusters.",
        ),
        "agreement_rows": (float(len(labels)), "Rows on which these were compared."),
    }


def _learned(
    training: Training,
    assignment: Assignment,
    measured: Measured,
    count: int,
    sentence: str,
    diagnostics: dict[str, tuple[float, str]],
    curve: Curve,
    stabilities: list[float | None] | None,
) -> Learned:
    noise = measured.figures.metrics["noise_share"]
    diagnostics["noise_share"] = (noise, "Share of the customers that belong to no segment.")
    ordered: list[float | None] | None = None
    if stabilities is not None:
        ordered = [None] * count
        for number, value in zip(measured.numbers[1:], stabilities, strict=True):
            ordered[int(number) - 1] = value
    return Learned(
        assignment=assignment,
        figures=measured.figures,
        trials=[],
        reason=f"{count} {'segment' if count == 1 else 'segments'} and {noise:.1%} noise with "
        f"{sentence}",
        diagnostics=diagnostics,
        stabilities=ordered,
        curve=curve,
    )
