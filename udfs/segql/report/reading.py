"""Read what the report shows: small marts whole, large ones aggregated in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import duckdb
from sqlglot import exp

from segql import schema
from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown
from segql.report.contents import Row

#: Without these there is nothing to report.
NEEDED = ("customer_segments", "segment_summary")
#: Segments that have a colour of their own; the others share grey.
COLOURS = 10
#: Algorithms as they are said.
ALGORITHMS = {"kmeans": "k-means", "hierarchical": "hierarchical clustering", "dbscan": "DBSCAN",
              "hdbscan": "HDBSCAN"}  # fmt: skip
#: Keys of customers in no segment.
OUTSIDE = ("prospect", "unscored", "noise")


class Shop:
    """A built warehouse or the file that is served.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    marts : str
        Schema of the marts.
    model : str, optional
        Model in the registry; by default ``customers``, or the only one.

    Raises
    ------
    SegqlError
        Where the marts or the model are missing, or the registry is of a newer segql.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, *, marts: str = "marts", model: str | None = None
    ) -> None:
        self.con, self.schema = con, marts
        self.columns = self._columns(marts)
        missing = [name for name in NEEDED if name not in self.columns]
        if missing:
            raise SegqlError(
                f"there is no table {marts}.{missing[0]} in this database; accepted: a database "
                "that `dbt build` has built, or the file that `segql publish` serves"
            )
        engine = DuckDBEngine(con)
        self.registry_version = schema.version(engine)
        self.registry = self._columns("segql")
        self.model = self._model(model)

    def _columns(self, name: str) -> dict[str, list[str]]:
        found = self.con.execute(
            "select table_name, list(column_name order by column_index) from duckdb_columns() "
            "where database_name = current_database() and schema_name = ? group by all",
            [name],
        ).fetchall()
        return dict(found)

    def _model(self, wanted: str | None) -> str | None:
        if "models" not in self.registry:
            if wanted is not None:
                raise SegqlError(f"model got {wanted!r}; accepted: none, there is no registry here")
            return None
        known = [
            row["model_name"]
            for row in self.query(
                "select model_name from segql.models where is_current order by model_name"
            )
        ]
        if wanted is not None:
            if wanted not in known:
                raise SegqlError(unknown("model", wanted, known))
            return wanted
        if "customers" in known or len(known) < 2:
            return "customers" if "customers" in known else next(iter(known), None)
        raise SegqlError(
            f"there are several models and none is called customers; accepted: model, one of "
            f"{', '.join(known)}"
        )

    # -- rows --------------------------------------------------------------------------------

    def query(self, text: str, arguments: Sequence[Any] = ()) -> list[Row]:
        """Run a query; each row by the names of its columns."""
        found = self.con.execute(text, list(arguments))
        names = [item[0] for item in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, mart: str) -> str:
        """Quoted name of a mart."""
        return sql.text(exp.table_(mart, db=self.schema, quoted=True))

    def mart(self, name: str, order: str = "all") -> list[Row]:
        """All rows of a small mart; none where it is missing."""
        if name not in self.columns:
            return []
        return self.query(f"select * from {self.table(name)} order by {order}")

    def kept(self, table: str, order: str) -> list[Row]:
        """Rows of a table of the registry, of the model's current version."""
        if self.model is None or table not in self.registry:
            return []
        return self.query(
            f"select kept.* from segql.{table} as kept inner join segql.models as models "
            "using (model_name, model_version) "
            f"where models.model_name = ? and models.is_current order by {order}",
            [self.model],
        )

    def lacks(self, mart: str) -> str | None:
        """Say that a mart is missing, None where it is there."""
        if mart in self.columns:
            return None
        return f"The mart {self.schema}.{mart} is not in this database: it was not built."

    # -- what several parts need -------------------------------------------------------------

    @cached_property
    def summary(self) -> list[Row]:
        """segment_summary: segments by size, those outside last."""
        rows = self.mart("segment_summary", "customers desc, segment_key")
        return sorted(rows, key=lambda row: row["segment_key"] in OUTSIDE)

    @cached_property
    def segments(self) -> list[Row]:
        """The segments themselves, without prospects, unscored customers and noise."""
        return [row for row in self.summary if row["segment_key"] not in OUTSIDE]

    @cached_property
    def names(self) -> dict[str, str]:
        """Name of each segment_key."""
        return {row["segment_key"]: row["segment_name"] or row["segment_key"]
                for row in self.summary}  # fmt: skip

    def name(self, key: str) -> str:
        """Name of a segment; of one that nobody is in any more, its key."""
        return self.names.get(key, key)

    @cached_property
    def colours(self) -> dict[str, str]:
        """Colour of each segment_key: by its place, grey outside and from the eleventh on."""
        inside = {row["segment_key"]: f"@{place}" for place, row in enumerate(self.segments)
                  if place < COLOURS}  # fmt: skip
        return {key: inside.get(key, "@rest") for key in self.names}

    def colour(self, key: str) -> str:
        """Colour of a segment."""
        return self.colours.get(key, "@rest")

    @cached_property
    def trust(self) -> dict[str, Row]:
        """segment_trust by segment_key."""
        return {row["segment_key"]: row for row in self.mart("segment_trust", "segment_key")}

    @cached_property
    def keys(self) -> dict[int, str]:
        """segment_key of each segment_id of the model's current version."""
        rows = self.kept("segments", "kept.segment_id")
        return {row["segment_id"]: row["segment_key"] for row in rows}

    @cached_property
    def current(self) -> Row:
        """The current version's row of the registry, empty without one."""
        if self.model is None:
            return {}
        rows = self.query(
            "select * exclude (state, score_sql, publish_sql) from segql.models "
            "where model_name = ? and is_current",
            [self.model],
        )
        return rows[0] if rows else {}

    @property
    def kind(self) -> str:
        """What learned the model, as the end of a sentence."""
        how = self.current.get("algorithm")
        return f"this model is {ALGORITHMS.get(how, how)}" if how else "there is no model"

    @cached_property
    def as_of_date(self) -> Any:
        """The date that the segments are as of."""
        [row] = self.query(f"select max(as_of_date) as day from {self.table('customer_segments')}")
        return row["day"]
