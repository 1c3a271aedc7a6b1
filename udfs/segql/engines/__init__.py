"""Engines: each runs SQL where the data lives and brings back aggregates."""

from __future__ import annotations

from segql.engines.duckdb import DuckDBEngine

__all__ = ["DuckDBEngine"]
