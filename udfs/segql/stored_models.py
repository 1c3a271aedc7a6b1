"""A model as the registry's tables have it, every value checked."""

from __future__ import annotations

import weakref
from typing import Any

from sqlglot import exp

from segql import schema
from segql.engines.duckdb import DuckDBEngine
from segql.metrics import METRICS
from segql.model import Model
from segql.segments import Iteration, Segment, SegmentRule
from segql.selection import Trial
from segql.stored_state import check_segments, parse_figures, parse_options

TRIAL_COLUMNS = tuple(Trial.__dataclass_fields__)
RULE_COLUMNS = ", ".join(f'"{name}"' for name in SegmentRule.__dataclass_fields__)


def read_model(engine: DuckDBEngine, name: str, row: tuple[Any, ...]) -> Model:
    """Make a model of its row and of those of the other tables, all of them checked."""
    number, reason, state, options, relation, seed, *metrics = row
    parts = Model.parts_from_state(state)
    arguments: list[Any] = [name, number]

    def rows(table: str, columns: str, order: str) -> list[tuple[Any, ...]]:
        return engine.rows(
            f"select {columns} from segql.{table} "
            f"where model_name = ? and model_version = ? order by {order}",
            arguments,
        )

    # An older segql has left fewer columns and tables; the next fit brings them up to date.
    columns = engine.columns(exp.to_table("segql.segments"))
    later = ", ".join(
        column if column in columns else f"null as {column}" for column in ("stability", "jaccard")
    )
    named = rows(
        "segments",
        "segment_id, segment_key, customers, share, mean_squared_distance, silhouette, " + later,
        "segment_id",
    )
    check_segments(named, len(parts["points"]))
    segments = [Segment(*item) for item in named]
    trials = [Trial(*item) for item in rows("trials", ", ".join(TRIAL_COLUMNS), "k")]
    iterations = [
        Iteration(
            phase,
            iteration,
            loss,
            duration,
            tuple(item["cluster_size"] for item in info or ()),
            tuple(item["cluster_radius"] for item in info or ()),
        )
        for phase, iteration, loss, duration, info in rows(
            "training_info",
            "phase, iteration, loss, duration_ms, cluster_info",
            "training_run, iteration",
        )
    ]
    diagnostics, rules = {}, []
    if schema.has_table(engine, "diagnostics"):
        said_of = rows("diagnostics", "diagnostic, numerical_value, description", "diagnostic")
        diagnostics = {key: (value, text) for key, value, text in said_of}
    if schema.has_table(engine, "rules"):
        found = rows("rules", f"rule is not null, {RULE_COLUMNS}", "place")
        rules = [SegmentRule(*item) for is_rule, *item in found if is_rule]
    model = Model(
        rules=rules,
        name=name,
        version=number,
        segments=segments,
        metrics=parse_figures(METRICS, metrics, has_segments=bool(segments)),
        trials=trials,
        reason=reason,
        iterations=iterations,
        diagnostics=diagnostics,
        info={"options": parse_options(options), "relation": relation, "seed": seed},
        home=weakref.ref(engine.connection),
        **parts,
    )
    model.check_numbers()
    return model
