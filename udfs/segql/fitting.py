"""One fit, from recipe to measured segments: a handful of SQL statements and one kernel call."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from segql import coreset, distribution, keys, rules
from segql.assignment import NOISE
from segql.bootstrap import Stability
from segql.diagnostics import adjusted_rand
from segql.engines.base import Engine
from segql.errors import TooFewRowsError
from segql.functions.session import check_components
from segql.kept import kept_of
from segql.learners import ALGORITHMS, Learned, Training
from segql.learning import learn
from segql.model import Model
from segql.progress import Report
from segql.recipe import Recipe
from segql.registry import Registry
from segql.sample_map import draw_map
from segql.segments import Segment
from segql.space import Matrix, Projection, Space, fit_projection, signed_as_bigquery
from segql.statistics import Statistics
from segql.training import Input, Request


def learn_model(
    engine: Engine, data: Input, request: Request, report: Report, stack: ExitStack
) -> Model:
    """Learn recipe, projection, coreset, clusters and metrics; keys are those of a first fit."""
    report("learning the recipe")
    statistics = Statistics(
        engine, data.source, lambda share: engine.hash_below(data.hashable, request.seed, share)
    )
    learned = learn(statistics, data.plans, data.decisions, auto=request.features == "auto")
    is_centred = request.method is None or request.method.is_centred
    projection = _project(statistics, learned, request.pca, is_centred=is_centred)
    space = Space(learned.dimensions(), projection)
    if not float(space.variance.sum()) > 0:
        raise TooFewRowsError("all rows are equal on the features: there is nothing to segment")
    report("drawing the coreset")
    carried = coreset.awaited(learned)
    if request.method is None and ALGORITHMS[request.algorithm].finds_rules:
        carried |= rules.carried(engine, learned, data.hashable, request.seed)
    if request.name is not None:
        carried |= distribution.observed(learned)
    sample = coreset.draw(
        engine, data.source, space, carried,
        hashable=data.hashable, rows=data.rows, seed=request.seed,
    )  # fmt: skip
    try:
        if sample.rows == 0:
            raise TooFewRowsError(
                "no row can be scored: each misses a feature whose impute option is none"
            )
        learned.complete(coreset.stand_ins(engine.near, sample, learned))
        space = Space(learned.dimensions(), projection)
        points = coreset.fetch(engine.near, sample, space.size)
        bins = [] if request.name is None else distribution.observe(engine.near, sample, learned)
        learner = request.method or ALGORITHMS[request.algorithm]
        found = learner.learn(
            Training(engine, data, request, learned, space, sample, points, report, stack)
        )
        drawn = None
        if request.name is not None and len(found.assignment.centroids):
            drawn = draw_map(engine.near, points, space, found.assignment, request.seed)
    finally:
        engine.near.drop(sample.table)
    model = Model(
        name=request.name,
        version=0,
        id=data.id,
        recipe=learned,
        projection=projection,
        points=found.assignment.centroids,
        scorer=kept_of(found.assignment),
        segments=_segments(found),
        metrics=found.figures.metrics,
        trials=found.trials,
        reason=found.reason,
        iterations=found.iterations,
        algorithm=request.algorithm,
        bins=bins,
        sample_map=drawn,
        diagnostics=found.diagnostics | _bootstraps(found.stability),
        tree=found.tree,
        curve=found.curve,
        info={
            "coreset_rows": sample.rows,
            "is_exact": sample.exact,
            "unscorable_count": found.figures.unscorable,
            **found.info,
        },
    )
    if request.method is not None:
        request.method.complete(engine, data, model)
    model.statements = list(engine.statements)
    model.rules = (
        rules.learn_rules(engine, data.source, data.hashable, model, request.seed)
        if found.rules is None
        else found.rules
    )
    return model


def _project(
    statistics: Statistics, learned: Recipe, pca: Any, *, is_centred: bool
) -> Projection | None:
    if pca is None:
        return None
    axes = learned.dimensions()
    wanted = check_components(pca, len(axes))
    covariance = statistics.covariance(
        [axis.base for axis in axes],
        [axis.mean for axis in axes],
        [max(axis.bound, 1.0) for axis in axes],
    )
    factors = np.array([axis.factor for axis in axes])
    origins = np.array([axis.origin for axis in axes])
    offsets = np.array([axis.offset for axis in axes])
    means = (covariance.means - origins) * factors + offsets
    scaled = covariance.matrix * np.outer(factors, factors)
    if not is_centred:
        products = scaled + np.outer(means, means)
        plain = fit_projection(products, np.zeros(len(means)), covariance.count, wanted)
        return replace(plain, components=signed_as_bigquery(plain.components))
    return fit_projection(scaled, means, covariance.count, wanted)


def _bootstraps(stability: Stability | None) -> dict[str, tuple[float, str]]:
    if stability is None:
        return {}
    return {
        "bootstraps": (
            float(stability.bootstraps),
            "How often rows were drawn and clustered anew for the Jaccard of each segment.",
        ),
        "bootstrap_rows": (float(stability.rows), "Rows that each bootstrap drew from."),
    }


def _segments(found: Learned) -> list[Segment]:
    figures = found.figures
    total = max(figures.metrics["n"], 1.0)
    segments = [
        Segment(
            segment_id=index + 1,
            segment_key=key,
            customers=int(figures.sizes[index]),
            share=float(figures.sizes[index]) / total,
            mean_squared_distance=float(figures.mean_squares[index]),
            silhouette=float(figures.silhouettes[index]),
            stability=None if found.stabilities is None else found.stabilities[index],
            jaccard=None if found.stability is None else found.stability.jaccards[index],
        )
        for index, key in enumerate(keys.first_keys(len(figures.sizes)))
    ]
    if not figures.noise:
        return segments
    share = figures.noise / total
    return [Segment(0, NOISE, figures.noise, share, None, None), *segments]


def keep_keys(engine: Engine, registry: Registry, model: Model, data: Input) -> None:
    """Match the segments of a refit to those of the current version; say how far labels moved."""
    used = registry.keys_used(str(model.name))
    if data.previous is None or not (model.k and data.previous.k):
        counts: Matrix = np.zeros((0, model.k))
        old: list[str] = []
    else:
        joint = keys.contingency(engine, data.source, data.previous, model)
        model.info |= {
            "previous_version": data.previous.version,
            "ari_to_previous": adjusted_rand(joint),
        }
        # Noise is no segment that could go on.
        counts = joint[1:, 1:]
        old = data.previous.keys
    named = keys.matched_keys(counts, old, used)
    model.segments = [item for item in model.segments if item.segment_id == 0] + [
        replace(segment, segment_key=key)
        for segment, key in zip(model.clusters, named, strict=True)
    ]
