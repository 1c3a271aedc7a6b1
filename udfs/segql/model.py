"""A fitted model: what was learned, and the SQL that it turns into."""

from __future__ import annotations

import json
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import NOISE, NearestCentroid, Scorer
from segql.clusterers.k_distance import Curve
from segql.clusterers.linkage import Tree
from segql.distribution import Bin
from segql.errors import SegqlError
from segql.features import NumberFeature
from segql.kept import Kept, KeptPoints, kept_from_state
from segql.recipe import Recipe
from segql.sample_map import SampleMap
from segql.segments import Iteration, Segment, SegmentRule
from segql.selection import Trial
from segql.space import Matrix, Projection, Space, projection_from_state, projection_state
from segql.stored_state import parse_condition, parse_state

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

#: The relation that the stored scoring query reads.
INPUT = "segql_input"


@dataclass
class Model:
    """A fitted segmentation.

    Attributes
    ----------
    name : str or None
        Name in the registry; None when it was not stored.
    version : int
        1 for the first fit under a name.
    id : str
        The id column.
    k : int
        Number of segments, noise not counted.
    metrics : dict of str to float
        ``n``, ``inertia``, ``silhouette`` (squared Euclidean), ``davies_bouldin``,
        ``calinski_harabasz``, ``mean_squared_distance``, ``noise_share``: exact, on all rows.
    segments : list of Segment
        By segment_id; noise, where there is some, is the first.
    scorer : Kept or None
        What names a row's segment when it is not the nearest centroid.
    bigquery : dict or None
        What ``ML`` functions answer from, in a model that a BigQuery statement has made.
    trials : list of Trial
        Every k that was tried, measured on the coreset.
    reason : str
        Why k was chosen.
    bins : list of Bin
        How each feature was distributed; empty without a name, and in a model that was read back.
    diagnostics : dict of str to (float, str)
        Figures of the algorithm, each with what it says.
    tree, curve : Tree, Curve or None
        The linkage table of a hierarchical fit, the k-distances of a density fit; None in a model
        that was read back.
    sample_map : SampleMap or None
        Rows on principal axes; None without a name, and in a model that was read back.
    rules : list of SegmentRule
        One plain rule for each segment that has one, in the order of their CASE.
    statements : list of str
        The SQL that the fit ran, in order.
    home : weakref to a connection, or None
        Where the registry is that the model is stored in; a model keeps no file open.
    """

    name: str | None
    version: int
    id: str
    recipe: Recipe
    projection: Projection | None
    points: Matrix
    segments: list[Segment]
    metrics: dict[str, float]
    trials: list[Trial]
    reason: str
    iterations: list[Iteration]
    algorithm: str = "kmeans"
    scorer: Kept | None = None
    bigquery: dict[str, Any] | None = None
    diagnostics: dict[str, tuple[float, str]] = field(default_factory=dict)
    tree: Tree | None = None
    curve: Curve | None = None
    bins: list[Bin] = field(default_factory=list)
    sample_map: SampleMap | None = None
    rules: list[SegmentRule] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    home: weakref.ref[duckdb.DuckDBPyConnection] | None = field(
        default=None, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connection out: it belongs to this process."""
        return self.__dict__ | {"home": None}

    def __repr__(self) -> str:
        label = f"{self.name!r} version {self.version}" if self.name else "(not stored)"
        return (
            f"<segql.Model {label}: {self.algorithm}, k={self.k}, "
            f"{len(self.recipe.features)} features, silhouette "
            f"{self.metrics.get('silhouette', float('nan')):.3f}>"
        )

    @property
    def k(self) -> int:
        """Number of segments."""
        return len(self.points)

    @property
    def keys(self) -> list[str]:
        """segment_key of each segment, by segment_id."""
        return [segment.segment_key for segment in self.clusters]

    @property
    def clusters(self) -> list[Segment]:
        """The segments without noise."""
        return [segment for segment in self.segments if segment.segment_id > 0]

    @property
    def space(self) -> Space:
        """The model space."""
        return Space(self.recipe.dimensions(), self.projection)

    @property
    def assignment(self) -> Scorer:
        """What assigns rows in SQL."""
        if self.scorer is None:
            return NearestCentroid(self.space, self.points)
        return self.scorer.assignment(self.space, self.points)

    def check_numbers(self) -> None:
        """Refuse numbers that make none together: each may be fine, and their product infinite.

        Raises
        ------
        SegqlError
        """
        named = [self.points]
        if isinstance(self.scorer, KeptPoints):
            named += [self.scorer.points]
            named += [] if self.scorer.reaches is None else [self.scorer.reaches[:, None] ** 2]
        try:
            with np.errstate(all="ignore"):
                space = self.space
                results = [space.matrix, space.shift, space.offsets, space.variance]
                results += [(points**2).sum(axis=1) for points in named]
                results += [-2.0 * points @ space.matrix for points in named[:2]]
                results += [-2.0 * points @ space.shift for points in named[:2]]
            is_fine = all(bool(np.isfinite(result).all()) for result in results)
        except (ArithmeticError, ValueError):
            is_fine = False
        if not is_fine:
            raise SegqlError(
                "the stored model cannot be read: its numbers together are not finite "
                "(was the registry changed by hand?)"
            )

    # -- what was learned --------------------------------------------------------------------

    def scaled_centroids(self) -> Matrix:
        """Centroids on the scaled dimensions, shape (k, n_dimensions)."""
        return self.space.to_scaled(self.points)

    def centroids(self) -> pd.DataFrame:
        """Centroids, a row per segment and feature.

        Returns
        -------
        pandas.DataFrame
            ``centroid_id``, ``segment_key``, ``feature``, ``numerical_value`` (the column's own
            unit, transforms undone), ``standardized_value`` (scaled units; NULL for a category),
            ``categorical_value`` (list of category and share).
        """
        import pandas as pd

        return pd.DataFrame(self.centroid_rows(), columns=list(CENTROID_COLUMNS))

    def centroid_rows(self) -> list[tuple[Any, ...]]:
        """Rows of :meth:`centroids`."""
        scaled = self.scaled_centroids()
        axes = self.recipe.dimensions()
        rows: list[tuple[Any, ...]] = []
        for index, segment in enumerate(self.clusters):
            for feature in self.recipe.features:
                at = [i for i, axis in enumerate(axes) if axis.feature == feature.name]
                if isinstance(feature, NumberFeature):
                    z = float(scaled[index, at[0]])
                    value = feature.original(z)
                    number: float | None = value if np.isfinite(value) else None
                    rows.append(
                        (segment.segment_id, segment.segment_key, feature.name, number, z, None)
                    )
                else:
                    shares = [
                        {
                            "category": axes[i].name.split("=", 1)[1],
                            "value": float(scaled[index, i]) / axes[i].factor,
                        }
                        for i in at
                    ]
                    rows.append(
                        (segment.segment_id, segment.segment_key, feature.name, None, None, shares)
                    )
        return rows

    def relevance(self) -> dict[str, float]:
        """Share of each feature in the variance between segments, on the scaled dimensions."""
        sizes = np.array([segment.customers for segment in self.clusters], dtype=float)
        return self.space.relevance(self.points, sizes)

    # -- SQL ---------------------------------------------------------------------------------

    def predict_query(
        self, source: exp.Expr, carried: Sequence[exp.Expr], assignment: Scorer | None = None
    ) -> exp.Select:
        """Query with the prediction columns.

        Parameters
        ----------
        source : sqlglot expression
            A FROM item with the alias ``source``.
        carried : sequence of sqlglot expression
            What else each row keeps, over the columns of the input.
        assignment : Scorer, optional
            By default the model's own.
        """
        assignment = assignment or self.assignment
        layered = assignment.predicted(assignment.space.compact_inputs(source), self.keys)
        return exp.select(*carried, *assignment.prediction_columns()).from_(
            layered.subquery("predicted", copy=False), copy=False
        )

    def sql(self, dialect: str = "duckdb", form: str = "query", relation: str = INPUT) -> str:
        """Print the model as SQL.

        Parameters
        ----------
        dialect : str
            One of :data:`segql.exporting.dialects.DIALECTS`, e.g. ``"snowflake"``.
        form : {"query", "expression", "function", "rules", "tables"}
            The query gives the id and the prediction columns of ``relation``; the expression is
            the segment_id alone, over the feature columns; the function is a CREATE FUNCTION of
            ``<model>_segment``, which gives the segment_id of its arguments; the rules are a CASE
            of plain conditions that gives most rows their segment_key, and NULL where none holds;
            the tables are a script for a model that is scored by a join with its cells: a CREATE
            TABLE and INSERTs of ``<model>_<version>_cells`` in the schema that the session is in,
            then the query.
        relation : str
            Table name that the query reads.
        """
        return ";\n".join(self.sql_statements(dialect, form, relation))

    def sql_statements(
        self, dialect: str = "duckdb", form: str = "query", relation: str = INPUT
    ) -> list[str]:
        """Print the model as :meth:`sql` does, a string for each statement."""
        from segql.exporting.writing import statements

        return statements(self, dialect, form, relation)

    def rules_case(self) -> exp.Expr:
        """CASE of the rules, over the bare, quoted feature columns."""
        if not self.rules:
            raise SegqlError(
                f"model {self.name!r} has no rules: no plain condition tells its segments apart"
            )
        keys = {segment.segment_id: segment.segment_key for segment in self.segments}
        return sql.case(
            [
                (
                    parse_condition(rule.condition, self.recipe.names),
                    sql.string(keys[rule.segment_id]),
                )
                for rule in self.rules
            ]
        )

    def scalar_expressions(self) -> dict[str, exp.Expr]:
        """segment_id and segment_key in DuckDB's SQL, over the bare, quoted feature columns."""
        segment: exp.Expr = exp.Cast(
            this=self.assignment.scalar(self.recipe.names), to=exp.DataType.build("int")
        )
        # By position, so that the segment is computed once.
        keys = exp.Array(expressions=[sql.string(key) for key in (NOISE, *self.keys)])
        position = exp.Add(this=segment.copy(), expression=sql.integer(1))
        key = exp.Anonymous(this="list_extract", expressions=[keys, position])
        return {"segment": segment, "segment_key": key}

    # -- registry ----------------------------------------------------------------------------

    def state(self) -> str:
        """Everything learned as JSON; numbers keep every digit."""
        return json.dumps(
            {
                "algorithm": self.algorithm,
                "id": self.id,
                "recipe": self.recipe.state(),
                "projection": projection_state(self.projection),
                "points": self.points.tolist(),
                "scorer": None if self.scorer is None else self.scorer.state(),
                **({} if self.bigquery is None else {"bigquery": self.bigquery}),
            },
            ensure_ascii=False,
            allow_nan=False,
        )

    @staticmethod
    def parts_from_state(text: str) -> dict[str, Any]:
        """Read back what :meth:`state` wrote; anything else is refused."""
        state = parse_state(text)
        return {
            "algorithm": state["algorithm"],
            "id": state["id"],
            "recipe": Recipe.from_state(state["recipe"]),
            "projection": projection_from_state(state["projection"]),
            "points": points_from_state(state["points"], state["projection"]),
            "scorer": kept_from_state(state.get("scorer")),
            "bigquery": state.get("bigquery"),
        }


def points_from_state(points: list[list[float]], projection: dict[str, Any] | None) -> Matrix:
    """Rebuild the centroids; without one, the shape still says how many coordinates there are."""
    if points or projection is None:
        return np.array(points, dtype=np.float64)
    return np.zeros((0, len(projection["components"])))


CENTROID_COLUMNS = (
    "centroid_id",
    "segment_key",
    "feature",
    "numerical_value",
    "standardized_value",
    "categorical_value",
)
