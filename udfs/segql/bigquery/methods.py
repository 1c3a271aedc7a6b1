"""How the lifecycle trains a BigQuery model, and what it keeps for the ML functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from segql import sql_text as sql
from segql.bigquery import scoring
from segql.bigquery.options import Options, Tuned
from segql.components import Components
from segql.engines.base import Engine
from segql.kept import kept_of
from segql.learners import ALGORITHMS
from segql.learners.base import Learned, Training
from segql.learners.lloyd import Rules, Run, run_lloyd, start_centroids
from segql.metrics import ExactFigures, exact_figures
from segql.model import Model
from segql.segments import Iteration
from segql.space import Matrix, Space
from segql.training import Input


@dataclass
class BigQueryMethod:
    """Trains by BigQuery's rules; a method serves one statement.

    Attributes
    ----------
    kept : dict
        What the statement knows of its input and the stored model is to keep.
    earlier : Model or None
        The model that a warm start goes on from.
    """

    options: Options
    kept: dict[str, Any]
    relation: str
    earlier: Model | None = None
    runs: list[tuple[int, Run]] = field(default_factory=list)
    best: int = 0

    #: BigQuery does not centre one-hot columns.
    is_centred = False

    # -- learning ----------------------------------------------------------------------------

    def learn(self, training: Training) -> Learned:
        """Train by model type."""
        kind = self.options.model_type
        if kind == "KMEANS":
            return self._kmeans(training)
        if kind == "PCA":
            return _components(training)
        return ALGORITHMS[kind.lower()].learn(training)

    def _kmeans(self, training: Training) -> Learned:
        options = self.options
        rules = Rules(
            start=options.get("KMEANS_INIT_METHOD"),
            start_column=options.get("KMEANS_INIT_COL"),
            is_cosine=options.get("DISTANCE_TYPE") == "COSINE",
            most_iterations=options.get("MAX_ITERATIONS"),
            least_progress=options.get("MIN_REL_PROGRESS") if options.get("EARLY_STOP") else None,
        )
        for k in self._trials(training.data.rows, training.request.seed):
            if self.earlier is not None:
                start = moved_centroids(self.earlier, training.space)
            else:
                start = start_centroids(training, rules, k)
            self.runs.append((k, run_lloyd(training, rules, start)))
        if len(self.runs) > 1:
            self.best = int(np.argmin([self._index(training, run) for _, run in self.runs]))
        k, run = self.runs[self.best]
        figures = exact_figures(
            training.engine, training.data.source, run.assignment, training.space.bounds,
            training.data.rows,
        )  # fmt: skip
        reason = f"k = {k} was asked for"
        if len(self.runs) > 1:
            reason = f"k = {k} has the smallest Davies-Bouldin index of {len(self.runs)} trials"
        return Learned(
            assignment=run.assignment,
            figures=figures,
            trials=[],
            reason=reason,
            iterations=list(run.iterations),
        )

    def _trials(self, rows: int, seed: int) -> list[int]:
        """The k to try, in order."""
        wanted = self.options.get("NUM_CLUSTERS")
        if self.earlier is not None:
            return [self.earlier.k]
        if wanted is None:
            return [max(2, int(np.log10(max(rows, 1))))]
        if not isinstance(wanted, Tuned):
            return [wanted]
        values, most = wanted.values, self.options.get("NUM_TRIALS")
        if most >= len(values):
            return list(values)
        if self.options.get("HPARAM_TUNING_ALGORITHM") == "RANDOM_SEARCH":
            drawn = np.random.default_rng([seed, 31]).permutation(len(values))[:most]
        else:
            drawn = np.unique(np.round(np.linspace(0, len(values) - 1, most)).astype(int))
        return [values[int(index)] for index in drawn]

    def _index(self, training: Training, run: Run) -> float:
        """Davies-Bouldin index of a run on the training rows."""
        model = _scoring_model(training, run)
        text = scoring.figures(model, f"from {sql.text(training.data.table)}", [])
        return float(training.engine.rows(text)[0][0])

    # -- what is kept ------------------------------------------------------------------------

    def complete(self, engine: Engine, data: Input, model: Model) -> None:
        """Add the trials with their figures, radii and cut-offs, and the iterations."""
        is_cosine = self.options.given.get("DISTANCE_TYPE") == "COSINE"
        runs = [(k, run.assignment, run.iterations) for k, run in self.runs] or [
            (model.k, model.assignment, tuple(model.iterations))
        ]
        trials = []
        for number, (k, assignment, steps) in enumerate(runs, start=1):
            tried = replace(model, points=assignment.centroids, scorer=kept_of(assignment))
            is_optimal = number == self.best + 1
            trials.append(
                {"trial_id": number, "k": k, "points": assignment.centroids.tolist(),
                 "is_optimal": is_optimal, "iterations": _told(steps)}
                | _measured(engine, data, tried)
            )  # fmt: skip
        runs_before = []
        if self.earlier is not None and self.earlier.bigquery is not None:
            [last] = self.earlier.bigquery["trials"]
            runs_before = [*self.earlier.bigquery["runs_before"], last["iterations"]]
        model.bigquery = self.kept | {
            "model_type": self.options.model_type,
            "options": {k: v for k, v in self.options.given.items() if not isinstance(v, Tuned)},
            "is_tuned": isinstance(self.options.given.get("NUM_CLUSTERS"), Tuned),
            "distance_type": "COSINE" if is_cosine else "EUCLIDEAN",
            "runs_before": runs_before,
            "trials": trials,
        }


def _told(steps: tuple[Iteration, ...]) -> list[dict[str, Any]]:
    return [
        {"loss": step.loss, "duration_ms": step.duration_ms, "sizes": list(step.sizes),
         "radii": list(step.radii)}
        for step in steps
    ]  # fmt: skip


def _measured(engine: Engine, data: Input, model: Model) -> dict[str, Any]:
    """Figures of a trial on the training rows."""
    rows = f"from {sql.text(data.table)}"
    trial: dict[str, Any] = {}
    if model.k:
        scored = scoring.scored_rows(model, rows, [])
        found = dict(
            engine.rows(
                f"select g, sqrt(fsum(s order by s) / count(*)) from (select {sql.SCRATCH}segment "
                f"as g, {sql.SCRATCH}distances[{sql.SCRATCH}segment] ** 2 as s from ({scored}) "
                f"where {sql.SCRATCH}segment > 0) group by g"
            )
        )
        trial["radii"] = [float(found.get(index, 0.0)) for index in range(1, model.k + 1)]
        index, distance = engine.rows(scoring.figures(model, rows, []))[0]
        trial |= {"davies_bouldin_index": index, "mean_squared_distance": distance}
    cutoffs = engine.rows(scoring.training_cutoffs(model, trial, rows, data.rows))
    steps = min(data.rows, scoring.STEPS)
    return trial | {"cutoffs": [float(value) for (value,) in cutoffs], "steps": steps}


def _scoring_model(training: Training, run: Run) -> Model:
    """A model that is only scored with."""
    return Model(
        name=None, version=0, id=training.data.id, recipe=training.recipe,
        projection=training.space.projection, points=run.assignment.centroids,
        scorer=kept_of(run.assignment), segments=[], metrics={}, trials=[], reason="",
        iterations=[],
    )  # fmt: skip


def _components(training: Training) -> Learned:
    """No clusters: rows are counted, and told by their components."""
    space, rows = training.space, training.data.rows
    none = np.zeros(0)
    figures = ExactFigures({"n": float(rows)}, none, none, none, 0, np.zeros((0, space.size)), 0)
    assert space.projection is not None
    share = float(space.projection.explained_variance_ratio.sum())
    return Learned(
        assignment=Components(space, np.zeros((0, space.size))),
        figures=figures,
        trials=[],
        reason=f"{space.size} principal components explain {share:.1%} of the variance",
    )


def moved_centroids(earlier: Model, space: Space) -> Matrix:
    """Centroids of an earlier model in the space of this one; a new category weighs 0 in them."""
    values: dict[str, Matrix] = {}
    for index, axis in enumerate(earlier.space.dimensions):
        values[axis.name] = axis.origin + earlier.points[:, index] / axis.factor
    columns: list[Matrix] = [
        axis.factor * (values.get(axis.name, np.zeros(earlier.k)) - axis.origin)
        for axis in space.dimensions
    ]
    return np.column_stack(columns)
