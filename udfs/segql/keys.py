"""Segments keep their identity: segment_key from one fit to the next."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from sqlglot import exp

from segql import sql_text as sql
from segql.engines.base import Engine
from segql.features import SOURCE
from segql.model import Model
from segql.space import Matrix

#: A new segment takes an old key when they share at least this Jaccard of their customers.
SAME = 0.5


def first_keys(k: int) -> list[str]:
    """Keys of a first fit: ``S1`` is the largest segment."""
    return [f"S{number}" for number in range(1, k + 1)]


def matched_keys(counts: Matrix, old_keys: Sequence[str], used: set[str]) -> list[str]:
    """Keys of a refit.

    Parameters
    ----------
    counts : ndarray of shape (old k, new k)
        The current customers by old and new segment.
    old_keys : sequence of str
        Keys of the old segments.
    used : set of str
        Every key that any version has had; a new key is none of them.

    Notes
    -----
    Hungarian assignment (Kuhn 1955) of the largest total Jaccard; a pair below 0.5 is no match.
    """
    either = counts.sum(axis=1)[:, None] + counts.sum(axis=0)[None, :] - counts
    jaccard = counts / np.maximum(either, 1.0)
    keys: list[str | None] = [None] * counts.shape[1]
    for old, new in zip(*linear_sum_assignment(-jaccard), strict=True):
        if jaccard[old, new] >= SAME:
            keys[new] = old_keys[old]
    number = max((int(m[1]) for key in used if (m := re.fullmatch(r"S(\d+)", key))), default=0)
    fresh = (f"S{new}" for new in itertools.count(number + 1))
    return [next(fresh) if key is None else key for key in keys]


def contingency(engine: Engine, source: exp.Expr, old: Model, new: Model) -> Matrix:
    """Count rows by old and new segment, in one query over the current rows.

    Returns
    -------
    ndarray of shape (old.k + 1, new.k + 1)
        By segment_id, 0 being noise; rows that either model cannot score are left out.
    """
    first = old.assignment.assigned(old.space.inputs(source))
    renamed = sql.layer(first, sql.alias(sql.scratch("segment"), f"{sql.SCRATCH}old"))
    kept = exp.select(*(sql.column(name) for name in new.recipe.names), sql.scratch("old")).from_(
        renamed.subquery("old")
    )
    second = new.assignment.assigned(
        new.space.inputs(kept.subquery(exp.to_identifier(SOURCE, quoted=True)))
    )
    query = (
        exp.select(sql.scratch("old"), sql.scratch("segment"), exp.Count(this=exp.Star()))
        .from_(second.subquery("new"))
        .group_by(sql.scratch("old"), sql.scratch("segment"))
    )
    counts = np.zeros((old.k + 1, new.k + 1))
    for before, after, count in engine.rows(query):
        if before is not None and after is not None:
            counts[int(before), int(after)] = count
    return counts
