"""Read back the cells of a stored model: a plain row for each cell or point that one lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.kept import CELLS, KeptCells
from segql.schema import has_table

if TYPE_CHECKING:
    from segql.model import Model

OWN = f"from {CELLS} where model_name = ? and model_version = ? and mark = ?"


def cell_rows(model: Model, kept: KeptCells, most: int) -> list[tuple[Any, ...]]:
    """Rows of level, the cell's corner, place, the point, segment_id; in one order.

    Parameters
    ----------
    model : Model
    kept : KeptCells
        Its scorer.
    most : int
        Rows that there may be.

    Returns
    -------
    list of tuple
        A cell that has a segment is a row of place 0 whose point is NULL; any other has a row for
        each listed point, counted from 1.

    Raises
    ------
    SegqlError
        When the cells cannot be read, are none, or too many.
    """
    if kept.model is None:
        raise SegqlError(
            "form 'tables' needs the model's cells, and those were not stored; use fit with a name"
        )
    connection = None if model.home is None else model.home()
    label = f"model {kept.model.name!r} version {kept.model.version}"
    if connection is None:
        raise SegqlError(
            f"form 'tables' reads the cells of {label} from its registry, and the connection to "
            "that is gone; use segql.load with a connection that stays open"
        )
    engine = DuckDBEngine(connection)
    own = [kept.model.name, kept.model.version, kept.model.mark]
    count = 0
    if has_table(engine, "cells"):
        [(count,)] = engine.rows(
            f"select coalesce(sum(coalesce(len(points), 1)), 0)::bigint {OWN}", own
        )
    if not count:
        raise SegqlError(
            f"the cells of {label} are not in the current database {engine.database!r}; say USE "
            "with the one that the model is in, or load a version that is still stored"
        )
    if count > most:
        raise SegqlError(
            f"form 'tables' of {label} would write {count} rows; accepted: up to {most} (use form "
            "'rules', score in duckdb, or fit with more than three features or a larger eps)"
        )
    axes = model.space.size
    corner = ", ".join(f"cell_{axis + 1}" for axis in range(axes))
    point = ", ".join(f"q.{name}" for name in "xyz"[:axes])
    return engine.rows(
        f"with own as (select * {OWN}), "
        "listed as (select level, cell_1, cell_2, cell_3, unnest(points) as q, "
        "generate_subscripts(points, 1)::integer as place from own where points is not null) "
        f"select level, {corner}, 0 as place, {', '.join(['null::double'] * axes)}, segment_id "
        "from own where points is null "
        f"union all select level, {corner}, place, {point}, q.segment_id from listed "
        f"order by level, {corner}, place",
        own,
    )
