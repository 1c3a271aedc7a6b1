"""What a model version says about its segments and about how they were found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Iteration:
    """One step of the chosen fit: on the coreset, then on all rows."""

    phase: str
    iteration: int
    loss: float
    duration_ms: float | None = None
    sizes: tuple[int, ...] = ()
    radii: tuple[float, ...] = ()


@dataclass(frozen=True)
class Segment:
    """One segment of one model version; number 0 is noise, which has no figures.

    ``jaccard`` is the mean bootstrap Jaccard, ``stability`` the algorithm's own figure.
    """

    segment_id: int
    segment_key: str
    customers: int
    share: float
    mean_squared_distance: float | None
    silhouette: float | None
    stability: float | None = None
    jaccard: float | None = None


@dataclass(frozen=True)
class SegmentRule:
    """A segment in words and as SQL.

    Attributes
    ----------
    segment_id : int
    place : int
        Where it stands in the CASE of all rules, of which the first that holds counts.
    rule, condition : str
        For people, and in DuckDB's SQL over the feature columns.
    conditions : int
    matched : int
        Rows for which it is the first that holds.
    correct : int
        Those of them that are in the segment.
    coverage, precision : float
        ``correct`` as a share of the segment, and of what was matched.
    """

    segment_id: int
    place: int
    rule: str
    condition: str
    conditions: int
    matched: int
    correct: int
    coverage: float
    precision: float
