"""What a chart asks for: its query, worked out from its settings as Superset's own pages do."""

from __future__ import annotations

import json
from typing import Any

#: The settings that name a chart's columns, for each kind of chart in the bundle.
COLUMNS_OF = {
    "big_number_total": (),
    "echarts_timeseries_bar": ("x_axis", "groupby"),
    "heatmap_v2": ("x_axis", "groupby"),
    "pivot_table_v2": ("groupbyColumns", "groupbyRows"),
    "sankey_v2": ("source", "target"),
    "table": ("all_columns",),
}


class UnknownChartError(Exception):
    """A kind of chart whose settings are not understood here."""


def columns_of(params: dict[str, Any]) -> list[str]:
    """List the columns that a chart groups by or shows."""
    kind = params["viz_type"]
    if kind not in COLUMNS_OF:
        accepted = ", ".join(sorted(COLUMNS_OF))
        raise UnknownChartError(f"viz_type {kind!r} is not known; there are {accepted}")
    return [column for setting in COLUMNS_OF[kind] for column in _listed(params.get(setting))]


def metrics_of(params: dict[str, Any]) -> list[str]:
    """List the saved metrics that a chart shows."""
    return [*_listed(params.get("metrics")), *_listed(params.get("metric"))]


def query_of(params: dict[str, Any]) -> dict[str, Any]:
    """Write the query of a chart's settings, as the chart data API takes it."""
    filters = params.get("adhoc_filters", [])
    simple = [item for item in filters if item["expressionType"] == "SIMPLE"]
    written = [item["sqlExpression"] for item in filters if item["expressionType"] == "SQL"]
    query: dict[str, Any] = {
        "columns": columns_of(params),
        "filters": [
            {"col": item["subject"], "op": item["operator"], "val": item.get("comparator")}
            for item in simple
        ],
        "extras": {"where": " and ".join(f"({text})" for text in written), "having": ""},
        "orderby": [json.loads(text) for text in params.get("order_by_cols", [])],
        "row_limit": params.get("row_limit", 1000),
    }
    if metrics := metrics_of(params):
        query["metrics"] = metrics
    return query


def query_context(params: dict[str, Any]) -> str:
    """Write the stored query of a chart; the import fills in the dataset's number."""
    return json.dumps(
        {
            "datasource": {"id": 0, "type": "table"},
            "force": False,
            "queries": [query_of(params)],
            "form_data": params,
            "result_format": "json",
            "result_type": "full",
        }
    )


def _listed(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
