"""Audiences: which customers to contact and which to hold out, and which segments may leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

import duckdb

from segql.audience_sql import (
    COLUMNS,
    Source,
    draw_query,
    faults_query,
    resolved,
    sizes_query,
)
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown
from segql.holdouts import PARTS, held_out, start_of

#: Where the reference project has its customers and their values.
SEGMENTS = "marts.customer_segments"
#: Names that a message lists.
LISTED = 30
#: Options that may be None.
OPTIONAL = ("features", "value")


@dataclass(frozen=True)
class SegmentSize:
    """A segment that is exported, with its holdout, or that is not, and why."""

    segment_key: str
    segment_name: str | None
    customers: int
    holdout: int = 0
    #: From 0 to below a billion: where in the first customer the counting of the share starts.
    start: int = 0
    reason: str | None = None

    @property
    def treated(self) -> int:
        """Customers outside the holdout."""
        return self.customers - self.holdout


@dataclass(frozen=True)
class Audience:
    """The rows, the segments that they are of, and the segments that were left out."""

    rows: duckdb.DuckDBPyRelation
    exported: list[SegmentSize]
    left_out: list[SegmentSize]
    strata: list[str]


@dataclass(frozen=True)
class AudienceOptions:
    """What an audience is asked for; see :func:`audience`."""

    segments: str = SEGMENTS
    only: Sequence[str] | str | None = None
    segment: str = "segment_key"
    id: str = "customer_id"
    holdout: float = 0.1
    seed: int = 42
    features: str | None = None
    strata: Sequence[str] | str = ()
    value: str | None = "auto"
    value_groups: int = 10
    min_size: int = 11
    min_treated: int = 1
    columns: Sequence[str] | str | None = None

    @property
    def held_parts(self) -> int:
        """The share to hold out, in billionths of a customer."""
        if self.holdout == 0:
            return 0
        return min(max(round(self.holdout * PARTS), 1), PARTS - 1)

    @property
    def least(self) -> int:
        """Customers that a segment needs; one alone cannot be on both sides of a holdout."""
        return max(self.min_size, 2 if self.held_parts else 1)

    def checked(self) -> AudienceOptions:
        """Refuse what is no option's value; lists become lists."""
        holdout = self.holdout
        if (
            isinstance(holdout, bool)
            or not isinstance(holdout, int | float)
            or not 0 <= holdout < 1
        ):
            raise SegqlError(f"holdout got {holdout!r}; accepted: a number from 0 to below 1")
        _check_whole("seed", self.seed, 0)
        _check_whole("value_groups", self.value_groups, 1)
        _check_whole("min_size", self.min_size, 1)
        _check_whole("min_treated", self.min_treated, 1)
        for name in ("segments", "segment", "id", "features", "value"):
            given = getattr(self, name)
            if not isinstance(given, str) and (given is not None or name not in OPTIONAL):
                raise SegqlError(f"{name} got {given!r}; accepted: a name")
        columns = _listed("columns", COLUMNS if self.columns is None else self.columns)
        for column in columns:
            if column not in COLUMNS:
                raise SegqlError("columns: " + unknown("column", column, COLUMNS))
        only = None if self.only is None else _listed("only", self.only)
        if only == [] or columns == []:
            option = "only" if only == [] else "columns"
            raise SegqlError(f"{option} got []; accepted: at least one name, or None for all")
        columns = list(dict.fromkeys(columns))
        return replace(self, columns=columns, strata=_listed("strata", self.strata), only=only)


def audience(
    con: duckdb.DuckDBPyConnection,
    segments: str = SEGMENTS,
    only: Sequence[str] | str | None = None,
    *,
    segment: str = "segment_key",
    id: str = "customer_id",
    holdout: float = 0.1,
    seed: int = 42,
    features: str | None = None,
    strata: Sequence[str] | str = (),
    value: str | None = "auto",
    value_groups: int = 10,
    min_size: int = 11,
    min_treated: int = 1,
    columns: Sequence[str] | str | None = None,
) -> duckdb.DuckDBPyRelation:
    """Customers of segments, each to be contacted or held out, without personal columns.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    segments : str
        Table, view or SELECT with a row per customer and a segment column.
    only : str or sequence of str, optional
        Keys or names of segments; all of them by default.
    segment, id : str
        Columns of `segments`, by default ``segment_key`` and ``customer_id``.
    holdout : float
        Share of each segment and stratum that is held out, to within one customer; 0.1.
    seed : int
        Another seed draws another holdout; 42.
    features : str, optional
        Relation with the same id that has the columns of `strata` and `value`; `segments` itself.
    strata : str or sequence of str
        Columns in whose combinations the holdout has its share, too.
    value : str, optional
        A number of which quantile groups within the segment are strata; by default ``monetary``
        where there is such a column, None switches it off.
    value_groups : int
        How many; 10.
    min_size : int
        A segment with fewer customers is left out, or refused when it was asked for by name; 11.
        Where all segments are exported, the next smallest are left out with it, until two or more
        are and together have at least `min_size` customers.
    min_treated : int
        Customers that a segment must have outside the holdout; 1.
    columns : sequence of str, optional
        Some of the columns below; no other column ever leaves.

    Returns
    -------
    duckdb.DuckDBPyRelation
        A row per customer, ordered by segment and id: ``customer_id``, ``segment_key``,
        ``segment_name``, ``is_holdout``, ``holdout_share``, ``stratum``, ``model_version``,
        ``as_of_date``; the last two and the name are NULL where `segments` lacks them.

    Raises
    ------
    SegqlError
        When an option, column or segment is not accepted, an id is NULL, repeated or an e-mail
        address, or a segment asked for is too small.

    Notes
    -----
    Stratified sampling by permanent random numbers (Ohlsson 1995): within a stratum the customers
    with the smallest md5 of seed and id are held out. Where one customer comes or goes, a few next
    to a bound change sides and nobody else. The dbt macro ``segql.audience`` draws the same.
    """
    options = AudienceOptions(
        segments=segments,
        only=only,
        segment=segment,
        id=id,
        holdout=holdout,
        seed=seed,
        features=features,
        strata=strata,
        value=value,
        value_groups=value_groups,
        min_size=min_size,
        min_treated=min_treated,
        columns=columns,
    )
    return prepared(con, options).rows


def prepared(con: duckdb.DuckDBPyConnection, options: AudienceOptions) -> Audience:
    """Check everything, decide which segments may leave, and write the query of their rows."""
    options = options.checked()
    engine = DuckDBEngine(con)
    source = resolved(engine, options)
    _check_ids(engine, source, options)
    sizes = [
        _with_holdout(SegmentSize(key, name, customers), options)
        for key, name, customers in engine.rows(sizes_query(source))
    ]
    if not sizes:
        raise SegqlError(f"relation {options.segments!r} has no rows; accepted: customers")
    decided = _decided(_asked(sizes, options), options)
    exported = [size for size in decided if size.reason is None]
    left_out = [size for size in decided if size.reason is not None]
    if options.only is not None and left_out:
        raise SegqlError(f"segment {left_out[0].segment_key!r} has {left_out[0].reason}")
    if not exported:
        raise SegqlError(f"no segment of {options.segments!r} can leave: {left_out[0].reason}")
    starts = {size.segment_key: (size.start, size.segment_name) for size in exported}
    rows = con.sql(draw_query(source, options, starts))
    return Audience(rows, exported, left_out, source.strata_words)


def _asked(sizes: list[SegmentSize], options: AudienceOptions) -> list[SegmentSize]:
    """Segments by key, or by name where no key is called so."""
    if options.only is None:
        return sizes
    keys = {size.segment_key for size in sizes}
    known = [*keys, *(size.segment_name for size in sizes if size.segment_name is not None)]
    for name in options.only:
        if name not in known:
            nearest = sorted(set(known), key=lambda item: (-_likeness(item, name), item))
            raise SegqlError(unknown("segment", name, nearest[:LISTED]))
    names = {name for name in options.only if name not in keys}
    return [
        size for size in sizes if size.segment_key in options.only or size.segment_name in names
    ]


def _with_holdout(size: SegmentSize, options: AudienceOptions) -> SegmentSize:
    start = start_of(size.segment_key, size.customers, options.seed, options.held_parts)
    return replace(size, start=start, holdout=held_out(size.customers, start, options.held_parts))


def _decided(sizes: list[SegmentSize], options: AudienceOptions) -> list[SegmentSize]:
    """Give a reason to each segment that may not leave.

    What is left out of an export of all segments can be worked out from a total: the next smallest
    segments go with it, until two or more are left out and together have enough customers. The
    reason does not tell which of them is too small.
    """
    small = f"fewer than {options.least} customers (min_size)"
    if options.only is None:
        small += ", or beside such a segment the next smallest"
    few = f"fewer than {options.min_treated} customers outside the holdout (min_treated)"
    reasons = {}
    for size in sizes:
        if size.customers < options.least:
            reasons[size.segment_key] = small
        elif size.treated < options.min_treated:
            reasons[size.segment_key] = few
    if options.only is None and small in reasons.values():
        hidden = sum(size.customers for size in sizes if size.segment_key in reasons)
        for size in sorted(sizes, key=lambda size: (size.customers, size.segment_key)):
            if len(reasons) >= 2 and hidden >= options.least:
                break
            if size.segment_key not in reasons:
                reasons[size.segment_key] = small
                hidden += size.customers
    return [replace(size, reason=reasons.get(size.segment_key)) for size in sizes]


def _check_ids(engine: DuckDBEngine, source: Source, options: AudienceOptions) -> None:
    where = f"in {options.segments!r}"
    [(empty, repeated, example, addresses)] = engine.rows(faults_query(source))
    if empty:
        raise SegqlError(
            f"id {options.id!r} is empty in {empty} rows {where}; accepted: one id a row"
        )
    if repeated:
        if options.features is not None:
            where += f" or in {options.features!r}"
        raise SegqlError(
            f"id {options.id!r} has {repeated} repeated values, such as {example!r}, {where}; "
            "accepted: one row per customer"
        )
    if addresses:
        raise SegqlError(
            f"id {options.id!r} holds e-mail addresses {where}; accepted: a column of keys, or a "
            "hash"
        )


def _check_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
        raise SegqlError(
            f"{name} got {value!r}; accepted: a whole number from {least} to 2147483647"
        )


def _listed(name: str, value: Any) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise SegqlError(f"{name} got {value!r}; accepted: a name or a list of names")
    return list(items)


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()
