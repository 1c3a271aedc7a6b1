"""BigQuery ML statements on DuckDB: k-means and PCA models in BigQuery's own SQL."""

from __future__ import annotations

from segql.bigquery.statements import sql

__all__ = ["sql"]
