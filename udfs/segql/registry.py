"""What a model leaves behind, written together or not at all."""

from __future__ import annotations

import weakref
from itertools import groupby
from typing import Any

import duckdb

from segql import schema
from segql import sql_text as sql
from segql.engines.duckdb import REGISTRY_LOCK, DuckDBEngine
from segql.errors import SegqlError, UnknownModelError, said, unknown
from segql.functions.macros import (
    model_macros,
    outdated_macros,
    publish_statements,
    scalar_expressions,
    score_select,
    version_macros,
)
from segql.functions.shared_macros import known_types
from segql.kept import CELLS, KeptCells
from segql.long_rows import (
    component_info_rows,
    component_rows,
    curve_rows,
    diagnostic_rows,
    feature_rows,
    geometry_rows,
    map_axis_rows,
    map_point_rows,
    merge_rows,
    rule_rows,
    training_rows,
    trial_rows,
)
from segql.metrics import METRICS
from segql.model import Model
from segql.stored_models import read_model

#: Rows that one INSERT writes.
INSERTED = 200


class Registry:
    """The ``segql`` schema of the engine's current database."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self.engine = engine

    # -- setting up --------------------------------------------------------------------------

    def exists(self) -> bool:
        """Tell whether the current database has a registry; one of a newer segql is refused."""
        schema.version(self.engine)
        return schema.has_table(self.engine, "models")

    def check_open_for_writing(self) -> None:
        """Refuse a database that is attached read-only."""
        rows = self.engine.rows(
            "select readonly from duckdb_databases() where database_name = current_database()"
        )
        if rows and rows[0][0]:
            raise SegqlError(
                f"the database {self.engine.database!r} is attached read-only: its models cannot "
                "be changed and none can be stored in it; open it for writing (a fit with "
                "name=None stores nothing)"
            )

    def check_writable(self, name: str) -> None:
        """Refuse a database or a name that a model cannot have, before anything is learned."""
        self.check_open_for_writing()
        if self.engine.database.lower() == "segql":
            raise SegqlError(
                "the database is itself called 'segql', which makes every segql.name ambiguous; "
                "attach or name the file differently"
            )
        if not self.exists():
            return
        same = self.engine.rows(
            "select model_name from segql.models "
            "where lower(model_name) = lower(?) and model_name <> ? limit 1",
            [name, name],
        )
        if same:
            raise SegqlError(
                f"name got {name!r}, but there is a model {same[0][0]!r}: SQL does not tell names "
                "apart that differ in case only"
            )

    def prepare(self) -> None:
        """Create schema, tables and shared macros, or bring those of an older segql up to date."""
        with REGISTRY_LOCK, self.engine.transaction():
            if schema.prepare(self.engine):
                self.rewrite()

    def rewrite(self) -> None:
        """Write the macros of each published version from its rows: of an older segql, or copied.

        Macros that had other names go, and long tables whose shape has changed are filled anew.
        """
        versions = self.engine.rows(
            "select model_name, model_version, is_current from segql.models where is_published "
            "order by all"
        )
        mark = schema.mark(self.engine)
        for name, version, is_current in versions:
            model = self.load(name, version)
            key = {"model_name": name, "model_version": version}
            for table, rows in (
                ("geometry", geometry_rows),
                ("principal_components", component_rows),
            ):
                self.engine.run(
                    f"delete from segql.{table} where model_name = ? and model_version = ?",
                    [name, version],
                )
                self._insert_rows(table, [key | row for row in rows(model)])
            statements = version_macros(model, mark)
            if is_current:
                statements = model_macros(model, scalar_expressions(model), mark)
            for statement in [*statements, *outdated_macros(name, version)]:
                self.engine.run(statement)

    def update(self) -> None:
        """Prepare a registry that exists: a fit reads the current version before it writes one."""
        if self.exists():
            self.prepare()

    # -- reading -----------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Names of the models that have a current version."""
        if not self.exists():
            return []
        return [
            row[0]
            for row in self.engine.rows(
                "select distinct model_name from segql.models where is_current order by 1"
            )
        ]

    def load(self, name: str, version: int | None = None) -> Model:
        """Read a model.

        Raises
        ------
        UnknownModelError
            When there is no such model or version; the known ones are listed.
        """
        row = self._row(name, version) if isinstance(name, str) else None
        if row is None:
            if version is None or name not in self.names():
                raise UnknownModelError(unknown("model", name, self.names()))
            known = [
                number
                for (number,) in self.engine.rows(
                    "select model_version from segql.models where model_name = ? and is_published "
                    "order by 1",
                    [name],
                )
            ]
            raise UnknownModelError(f"model {name!r}: {unknown('version', version, known)}")
        try:
            return read_model(self.engine, name, row)
        except (SegqlError, duckdb.Error) as error:
            raise SegqlError(f"model {name!r} version {row[0]}: {said(error)}") from error

    def current_of(self, name: str, options: str, fingerprint: str) -> Model | None:
        """Read the current version if it was learned from these rows with these options."""
        if not self.exists():
            return None
        same = self.engine.rows(
            "select count(*) from segql.models where model_name = ? and is_current "
            "and options = ? and input_hash = ?",
            [name, options, fingerprint],
        )
        return self.load(name) if same[0][0] else None

    def _row(self, name: str, version: int | None) -> tuple[Any, ...] | None:
        if not self.exists():
            return None
        which = "is_current" if version is None else "is_published and model_version = ?"
        arguments: list[Any] = [name] if version is None else [name, version]
        rows = self.engine.rows(
            f"select model_version, reason, state, options, relation, seed, {', '.join(METRICS)} "
            f"from segql.models where model_name = ? and {which}",
            arguments,
        )
        return rows[0] if rows else None

    def keys_used(self, name: str) -> set[str]:
        """Every segment_key that any version of the model has had, dropped ones too.

        What was never published, as by a run that was killed, has told nobody its keys.
        """
        return {
            row[0]
            for row in self.engine.rows(
                "select segment_key from segql.segments where model_name = ? "
                "and model_version in (select model_version from segql.models "
                "where model_name = ? and is_published) "
                "union select segment_key from segql.retired where model_name = ?",
                [name, name, name],
            )
        }

    def next_version(self, name: str) -> int:
        """Return the version number of the next fit."""
        return int(
            self.engine.rows(
                "select coalesce(max(model_version), 0) + 1 from (select model_name, model_version "
                "from segql.models union all select model_name, model_version from segql.retired) "
                "where model_name = ?",
                [name],
            )[0][0]
        )

    # -- writing -----------------------------------------------------------------------------

    def prune(self, name: str) -> None:
        """Remove what a fit left that was never published."""
        leftover = (
            "model_name = ? and model_version in (select model_version from segql.models "
            "where model_name = ? and not is_published)"
        )
        for table in schema.TABLES:
            if table not in ("models", "registry_info"):
                self.engine.run(f"delete from segql.{table} where {leftover}", [name, name])
        self.engine.run(
            "delete from segql.models where model_name = ? and not is_published", [name]
        )

    def write(self, model: Model, *, publish: bool) -> None:
        """Write a version; with ``publish`` it becomes the current one in the same transaction."""
        assert model.name is not None
        with REGISTRY_LOCK, self.engine.transaction():
            self.prune(model.name)
            model.version = self.next_version(model.name)
            model.home = weakref.ref(self.engine.connection)
            cells = self._keep_cells(model)
            scalars = scalar_expressions(model)
            statements = publish_statements(model, scalars, schema.mark(self.engine))
            self._insert(model, statements, scalars)
            if cells is not None:
                self.engine.run(cells)
            self.announce()
            if publish:
                for statement in statements:
                    self.engine.run(statement)

    def announce(self) -> None:
        """Tell the macros which models and versions there are, published or soon to be."""
        for statement in known_types():
            self.engine.run(statement)

    def _keep_cells(self, model: Model) -> str | None:
        """Let the model score by the registry's cells; return what moves them there."""
        scorer = model.scorer
        if scorer is None:
            return None
        model.scorer = scorer.stored(str(model.name), model.version)
        if not isinstance(scorer, KeptCells) or scorer.table is None:
            return None
        kept = model.scorer
        assert isinstance(kept, KeptCells)
        assert kept.model is not None
        name, mark = (sql.literal(item) for item in (kept.model.name, kept.model.mark))
        return (
            f"insert into {CELLS} by name select {name} as model_name, {model.version} as "
            f"model_version, {mark} as mark, * from {sql.text(scorer.table)}"
        )

    def _insert(self, model: Model, statements: list[str], scalars: dict[str, str]) -> None:
        key = {"model_name": model.name, "model_version": model.version}
        info = model.info
        self._insert_rows(
            "models",
            [
                key
                | {
                    "is_current": False,
                    "is_published": False,
                    "algorithm": model.algorithm,
                    "k": model.k,
                    "id_column": model.id,
                    "reason": model.reason,
                    "state": model.state(),
                    "score_sql": score_select(model),
                    "segment_sql": scalars["segment"],
                    "segment_key_sql": scalars["segment_key"],
                    "publish_sql": statements,
                    **model.metrics,
                    **info,
                    "n": int(model.metrics["n"]),
                }
            ],
        )
        self._insert_rows("segments", [key | vars(segment) for segment in model.segments])
        names = ("centroid_id", "segment_key", "feature", "numerical_value",
                 "standardized_value", "categorical_value")  # fmt: skip
        self._insert_rows(
            "centroids",
            [key | dict(zip(names, row, strict=True)) for row in model.centroid_rows()],
        )
        self._insert_rows("feature_info", [key | row for row in feature_rows(model)])
        self._insert_rows("feature_bins", [key | vars(item) for item in model.bins])
        self._insert_rows("principal_components", [key | row for row in component_rows(model)])
        self._insert_rows(
            "principal_component_info", [key | row for row in component_info_rows(model)]
        )
        self._insert_rows("map_points", [key | row for row in map_point_rows(model)])
        self._insert_rows("map_axes", [key | row for row in map_axis_rows(model)])
        self._insert_rows("trials", [key | row for row in trial_rows(model)])
        self._insert_rows("diagnostics", [key | row for row in diagnostic_rows(model)])
        self._insert_rows("geometry", [key | row for row in geometry_rows(model)])
        self._insert_rows("rules", [key | row for row in rule_rows(model)])
        self._insert_rows("dendrogram", [key | row for row in merge_rows(model)])
        self._insert_rows("k_distances", [key | row for row in curve_rows(model)])
        self._insert_rows("training_info", [key | row for row in training_rows(model)])

    def _insert_rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Insert rows, many in a statement: one each costs more than all that it writes."""
        for names, alike in groupby(rows, key=tuple):
            group = list(alike)
            listed = ", ".join(f'"{name}"' for name in names)
            marks = f"({', '.join('?' for _ in names)})"
            for start in range(0, len(group), INSERTED):
                part = group[start : start + INSERTED]
                self.engine.run(
                    f"insert into segql.{table} ({listed}) values {', '.join([marks] * len(part))}",
                    [value for row in part for value in row.values()],
                )
