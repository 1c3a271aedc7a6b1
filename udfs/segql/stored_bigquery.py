"""The schema of what a model keeps for BigQuery's functions: SQL of one value, and figures."""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp

from segql.stored_values import (
    count,
    flag,
    list_of,
    mapping_of,
    maybe,
    name,
    number,
    one_of,
    record_of,
    refusal,
    text,
)


def _expression(place: str, value: Any) -> None:
    """One scalar expression: it is written into queries."""
    accepted = "a scalar expression, without a query in it"
    text(place, value)
    try:
        parsed = sqlglot.parse_one(f"select {value}", dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise refusal(place, value, accepted) from error
    parts = {key for key, part in parsed.args.items() if part}
    is_one = isinstance(parsed, exp.Select) and parts <= {"kind", "expressions"}
    if not is_one or len(parsed.expressions) != 1 or parsed.comments:
        raise refusal(place, value, accepted)
    for node in parsed.expressions[0].walk():
        if isinstance(node, exp.Query | exp.Table | exp.Command) or node.comments:
            raise refusal(place, value, accepted)


def _pair(place: str, value: Any) -> None:
    list_of(lambda *_: None, 2)(place, value)
    name(f"{place}[0]", value[0])
    _expression(f"{place}[1]", value[1])


def _anything(place: str, value: Any) -> None:
    """Figures and texts that are shown, never run."""


_RUN = list_of(
    record_of(
        {
            "loss": number, "duration_ms": number, "sizes": list_of(number),
            "radii": list_of(number),
        }
    )
)  # fmt: skip
_TRIAL = record_of(
    {
        "trial_id": count, "k": count, "points": list_of(list_of(number)), "is_optimal": flag,
        "iterations": _RUN, "cutoffs": list_of(number), "steps": count,
    },
    {
        "radii": list_of(number), "davies_bouldin_index": maybe(number),
        "mean_squared_distance": maybe(number),
    },
)  # fmt: skip

check_bigquery = maybe(
    record_of(
        {
            "prepared": list_of(_pair),
            "transform": maybe(list_of(_pair)),
            "feature_info": list_of(_anything),
            "model_type": text,
            "options": mapping_of(_anything),
            "is_tuned": flag,
            "distance_type": one_of("EUCLIDEAN", "COSINE"),
            "runs_before": list_of(_RUN),
            "trials": list_of(_TRIAL),
        }
    )
)
