"""What a model keeps to name a row's segment, when it is not the nearest centroid."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql.assignment import Assignment, NearestCentroid, Scorer
from segql.cells import Level
from segql.components import Components
from segql.density_cells import DensityCells, Stored
from segql.directions import NearestDirection
from segql.errors import SegqlError
from segql.named_points import NamedPoints
from segql.space import Matrix, Space

#: Where the cells of stored models are.
CELLS = "segql.cells"


@dataclass(frozen=True)
class KeptPoints:
    """Points that name a segment, see :class:`NamedPoints`."""

    points: Matrix
    labels: NDArray[np.intp]
    reaches: Matrix | None

    def assignment(self, space: Space, centroids: Matrix) -> Scorer:
        """Assign in a space."""
        return NamedPoints(space, centroids, self.points, self.labels, self.reaches)

    def stored(self, name: str, version: int) -> Kept:
        """What is kept of a stored version."""
        return self

    def forgotten(self) -> Kept:
        """What is kept of a model that was not stored."""
        return self

    def state(self) -> dict[str, Any]:
        """Everything learned, for the registry."""
        return {
            "kind": "points",
            "points": self.points.tolist(),
            "labels": self.labels.tolist(),
            "reaches": None if self.reaches is None else self.reaches.tolist(),
        }


@dataclass(frozen=True)
class KeptCells:
    """Cells in a table, see :class:`DensityCells`."""

    levels: tuple[Level, ...]
    table: exp.Table | None
    model: Stored | None

    def assignment(self, space: Space, centroids: Matrix) -> Scorer:
        """Assign in a space."""
        if self.table is None:
            raise SegqlError(
                "this model scores by a join with its cells, and those were not stored; accepted: "
                "fit with a name"
            )
        return DensityCells(space, centroids, self.levels, self.table, self.model)

    def stored(self, name: str, version: int) -> Kept:
        """What is kept of a stored version: its rows of the registry's cells."""
        return replace(self, table=exp.to_table(CELLS), model=Stored(name, version, uuid4().hex))

    def forgotten(self) -> Kept:
        """What is kept of a model that was not stored: its cells are gone."""
        return replace(self, table=None)

    def state(self) -> dict[str, Any]:
        """Everything but the cells, which are a table."""
        return {
            "kind": "cells",
            "levels": [[level.eps, level.side] for level in self.levels],
            "model": None if self.model is None else list(asdict(self.model).values()),
        }


@dataclass(frozen=True)
class KeptDirections:
    """Directions that name a segment, see :class:`NearestDirection`."""

    directions: Matrix
    offsets: Matrix

    def assignment(self, space: Space, centroids: Matrix) -> Scorer:
        """Assign in a space."""
        return NearestDirection(space, centroids, self.directions, self.offsets)

    def stored(self, name: str, version: int) -> Kept:
        """What is kept of a stored version."""
        return self

    def forgotten(self) -> Kept:
        """What is kept of a model that was not stored."""
        return self

    def state(self) -> dict[str, Any]:
        """Everything learned, for the registry."""
        return {
            "kind": "directions",
            "directions": self.directions.tolist(),
            "offsets": self.offsets.tolist(),
        }


@dataclass(frozen=True)
class KeptComponents:
    """No segments: rows are projected, see :class:`Components`."""

    def assignment(self, space: Space, centroids: Matrix) -> Scorer:
        """Project in a space."""
        return Components(space, centroids)

    def stored(self, name: str, version: int) -> Kept:
        """What is kept of a stored version."""
        return self

    def forgotten(self) -> Kept:
        """What is kept of a model that was not stored."""
        return self

    def state(self) -> dict[str, Any]:
        """Nothing beside the projection, which the model has anyway."""
        return {"kind": "components"}


Kept = KeptPoints | KeptCells | KeptDirections | KeptComponents


def kept_of(assignment: Assignment) -> Kept | None:
    """What to keep of an assignment; None for nearest centroids, which the model has anyway."""
    if isinstance(assignment, NamedPoints):
        return KeptPoints(assignment.points, assignment.labels, assignment.reaches)
    if isinstance(assignment, DensityCells):
        return KeptCells(tuple(assignment.levels), assignment.table, assignment.stored)
    if isinstance(assignment, NearestDirection):
        return KeptDirections(assignment.directions, assignment.offsets)
    if isinstance(assignment, Components):
        return KeptComponents()
    assert isinstance(assignment, NearestCentroid)
    return None


def kept_from_state(state: dict[str, Any] | None) -> Kept | None:
    """Rebuild it from the registry."""
    if state is None:
        return None
    if state["kind"] == "components":
        return KeptComponents()
    if state["kind"] == "directions":
        return KeptDirections(np.array(state["directions"]), np.array(state["offsets"]))
    if state["kind"] == "points":
        reaches = state["reaches"]
        return KeptPoints(
            np.array(state["points"], dtype=np.float64),
            np.array(state["labels"], dtype=np.intp),
            None if reaches is None else np.array(reaches, dtype=np.float64),
        )
    levels = tuple(Level(eps, side) for eps, side in state["levels"])
    return KeptCells(levels, exp.to_table(CELLS), Stored(*state["model"]))
