"""The tables and models of the proof, and DuckDB's own prediction of every row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

import segql
from segql.model import Model

#: A column of numbers whose name a dialect might take for something else.
ODD_NUMBER = 'it\'s "100%" of \\ `grün`'
#: Numbers that are missing, too large to compute with, or at the ends of what a double holds.
ODD_NUMBERS = (
    None, math.nan, math.inf, -math.inf, 1e300, -1e300, 1.7976931348623157e308, 1e100, 1.1e100,
    1e-300, -1e-300, 5e-324, 0.0, -0.0, 1e15, -1e15, 0.1, 123456789.123456789,
)  # fmt: skip
#: Categories that were seen: quotes, backslashes, percent signs, other scripts, an empty text.
CATEGORIES = (
    "plain", "O'Brien", 'say "hi"', "back\\slash", "C:\\new\\", "100% {a}", "grün", "日本 🎁", "",
)  # fmt: skip
#: Categories that were not: near to one that was under a collation, or nothing at all.
UNSEEN = (None, "Plain", "plain ", "grun", "GRÜN", "never seen", "NULL", "back\\\\slash", "o'brien")
#: Numbers that are categories: engines print them differently.
RATINGS = (1.0, 2.5, 1e20, 1e-7, 0.1)
ROWS = 400


@dataclass(frozen=True)
class Case:
    """A model: the tables it is fitted on and scores, and the options of its fit."""

    name: str
    table: str
    features: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)


def shop_features(**options: Any) -> dict[str, Any]:
    return {name: dict(options) for name in ("recency", "frequency", "monetary", "tenure")}


def odd_features(**options: Any) -> dict[str, Any]:
    return {ODD_NUMBER: dict(options), "order": dict(options), "is_member": {}, "visits": {}}


CASES = (
    Case("shop_kmeans", "retail", shop_features(), {"k": 8}),
    Case(
        "shop_encoded",
        "retail",
        shop_features(transform="yeo_johnson", scale="robust")
        | {"country": {"encode": {"onehot": {"top": 40}}}},
        {"k": 5},
    ),
    Case(
        "shop_pca",
        "retail",
        shop_features(transform={"winsorize": [0.05, 0.95]}, scale="minmax")
        | {"country": {"encode": "frequency"}},
        {"k": 4, "pca": 3},
    ),
    Case(
        "shop_tree",
        "retail",
        shop_features(),
        {"k": 2, "algorithm": "hierarchical", "linkage": "complete"},
    ),
    Case("shop_hdbscan", "retail", shop_features(), {"algorithm": "hdbscan"}),
    Case("shop_dbscan", "retail", shop_features(), {"algorithm": "dbscan"}),
    Case("odd_kmeans", "odd", odd_features(), {"k": 4}),
    Case(
        "odd_no_imputation",
        "odd",
        odd_features(impute="none") | {"is_member": {"impute": "none"}},
        {"k": 3},
    ),
    Case(
        "odd_onehot",
        "odd",
        odd_features(transform="log1p", scale="maxabs", indicator=True)
        | {"kind": {"encode": "onehot", "weight": 3.0}},
        {"k": 6},
    ),
    Case(
        "odd_ordinal",
        "odd",
        odd_features(transform="yeo_johnson")
        | {"kind": {"encode": "ordinal", "impute": "median"}, "visits": {"encode": "ordinal"}},
        {"k": 5, "pca": 2},
    ),
    Case(
        "odd_rare",
        "odd",
        odd_features(transform={"winsorize": [0.1, 0.9]}, scale="robust")
        | {"kind": {"encode": {"onehot": {"top": 6}}, "impute": "mode"}},
        {"k": 7},
    ),
    Case(
        "odd_tree",
        "odd",
        odd_features() | {"kind": {"encode": "frequency"}},
        {"k": 4, "algorithm": "hierarchical"},
    ),
    Case("odd_hdbscan", "odd", odd_features(), {"algorithm": "hdbscan", "min_samples": 8}),
    Case("odd_dbscan", "odd", odd_features(), {"algorithm": "dbscan"}),
    Case("odd_cells", "odd", {"order": {}, ODD_NUMBER: {}}, {"algorithm": "dbscan"}),
    Case(
        "odd_levels",
        "odd",
        {"order": {"impute": "none"}, ODD_NUMBER: {"transform": "yeo_johnson"}},
        {"algorithm": "hdbscan", "min_samples": 5},
    ),
    Case(
        "shop_cells",
        "retail",
        {"recency": {}, "tenure": {}, "monetary": {"transform": "log1p"}},
        {"algorithm": "dbscan", "eps": 0.25, "min_samples": 8},
    ),
    Case(
        "shop_levels",
        "retail",
        {name: {"transform": "log1p"} for name in ("frequency", "monetary")},
        {"algorithm": "hdbscan"},
    ),
    Case(
        "odd_coded",
        "odd",
        {
            "order": {},
            "is_member": {"encode": "onehot", "weight": 2.0},
            "visits": {"encode": {"onehot": {"top": 30}}},
            "rating": {"encode": "onehot", "weight": 2.0},
        },
        {"k": 6},
    ),
    Case(
        "odd_coded_numbers",
        "odd",
        {
            "order": {},
            "is_member": {"encode": "ordinal"},
            "visits": {"encode": "frequency"},
            "rating": {"encode": "ordinal"},
        },
        {"k": 6},
    ),
    Case("one_segment", "odd", odd_features(), {"k": 1}),
)


def odd_rows() -> pa.Table:
    """Rows to learn from, and after them rows with every odd value in every column."""
    rng = np.random.default_rng(11)
    group = rng.integers(0, 4, ROWS)
    missing = rng.random((3, ROWS)) < 0.05
    first = list(np.exp(rng.normal(group, 0.4)))
    second = list(rng.normal(3.0 * group - 4.0, 0.7))
    kinds: list[str | None] = [CATEGORIES[i] for i in rng.integers(0, len(CATEGORIES), ROWS)]
    for row in range(ROWS):
        first[row] = math.nan if missing[0, row] else first[row]
        second[row] = None if missing[1, row] else second[row]
        kinds[row] = None if missing[2, row] else kinds[row]
    members: list[bool | None] = [bool(x) for x in rng.random(ROWS) < 0.5]
    visits: list[int | None] = [int(x) for x in rng.poisson(2.0 + group)]
    ratings: list[float | None] = [RATINGS[i] for i in rng.integers(0, len(RATINGS), ROWS)]
    fresh = [
        *((x, 0.5, "plain", True, 2) for x in ODD_NUMBERS),
        *((1.5, x, "plain", False, 3) for x in ODD_NUMBERS),
        *((x, x, None, None, None) for x in ODD_NUMBERS),
        *((2.5, -1.0, kind, None, 1) for kind in (*CATEGORIES, *UNSEEN)),
        *((2.5, -1.0, "plain", True, n) for n in (0, -1, 2**31 - 1, -(2**31), None)),
    ]
    ratings.extend(x for x, _ in zip(cycle((*RATINGS, 3.0, None)), fresh, strict=False))
    for position, column in enumerate((first, second, kinds, members, visits)):
        column.extend(row[position] for row in fresh)
    return pa.table(
        {
            "id": pa.array(range(len(first)), pa.int64()),
            ODD_NUMBER: pa.array(first, pa.float64(), from_pandas=False),
            "order": pa.array(second, pa.float64(), from_pandas=False),
            "kind": pa.array(kinds, pa.string()),
            "is_member": pa.array(members, pa.bool_()),
            "visits": pa.array(visits, pa.int32()),
            "rating": pa.array(ratings, pa.float64()),
        }
    )


RETAIL = """
with lines as (
    select customerid, invoiceno, invoicedate, quantity * unitprice as amount, country
    from read_parquet({file})
    where customerid is not null
),
orders as (
    select * from lines where amount > 0
)
select
    customerid as id,
    cast(date '2011-12-10' - cast(max(invoicedate) as date) as integer) as recency,
    count(distinct invoiceno) as frequency,
    round(sum(amount), 2) as monetary,
    cast(date '2011-12-10' - cast(min(invoicedate) as date) as integer) as tenure,
    arg_max(country, (invoicedate, invoiceno, country)) as country
from orders
group by customerid
order by customerid
"""


class Proof:
    """A DuckDB database with the tables; models are fitted when they are asked for."""

    def __init__(self, data_dir: Callable[[str], Path]) -> None:
        self.con = duckdb.connect(":memory:")
        self.data_dir = data_dir
        self.tables: dict[str, pa.Table] = {}
        self.models: dict[str, Model] = {}
        self.predicted: dict[str, list[tuple[Any, ...]]] = {}
        self.ruled: dict[str, list[tuple[Any, ...]]] = {}

    def table(self, name: str) -> pa.Table:
        """Rows to score; skips where real data is absent."""
        if name not in self.tables:
            if name == "odd":
                rows = odd_rows()
                self.con.register("odd_rows", rows)
                self.con.execute("create table odd as select * from odd_rows")
            else:
                file = str(self.data_dir("online_retail/online_retail.parquet"))
                text = RETAIL.format(file="'" + file.replace("'", "''") + "'")
                self.con.execute(f"create table retail as {text}")
            self.tables[name] = self.con.sql(f"from {name} order by id").to_arrow_table()
        return self.tables[name]

    def model(self, case: Case) -> Model:
        """Fit a case's model, on the odd table without the rows that are only scored."""
        self.table(case.table)
        if case.name not in self.models:
            learned = f"select * from odd where id < {ROWS}" if case.table == "odd" else "retail"
            self.models[case.name] = segql.fit(
                self.con, learned, id="id", name=case.name, features=case.features, **case.options
            )
        return self.models[case.name]

    def expected(self, case: Case) -> list[tuple[Any, ...]]:
        """DuckDB's id, segment_id, segment_key, distance, next_segment_id and confidence."""
        self.model(case)
        if case.name not in self.predicted:
            relation = segql.predict(self.con, case.name, case.table)
            columns = "id, segment_id, segment_key, distance, next_segment_id, confidence"
            self.predicted[case.name] = relation.project(columns).order("id").fetchall()
        return self.predicted[case.name]

    def cells(self, case: Case) -> list[tuple[Any, ...]]:
        """Every number of the cells that a model has in the registry, in one order."""
        axes = len(self.model(case).recipe.features)
        corner = ", ".join(f"cell_{axis + 1}" for axis in range(axes))
        point = ", ".join(f"point.{name}" for name in "xyz"[:axes])
        return self.con.execute(
            f"select {corner}, {point}, coalesce(point.segment_id, segment_id) from (select *, "
            "unnest(coalesce(points, [null])) as point from segql.cells where model_name = ?) "
            "order by all",
            [case.name],
        ).fetchall()

    def unlike(self, name: str) -> set[int]:
        """Ids of the rows with a number that engines compare as they please: NaN, infinity."""
        table = self.table(name)
        return {
            row["id"]
            for row in table.to_pylist()
            if any(isinstance(value, float) and not math.isfinite(value) for value in row.values())
        }

    def by_rules(self, case: Case) -> list[tuple[Any, ...]]:
        """DuckDB's id, and the segment_key that the rules give."""
        text = self.model(case).sql("duckdb", "rules")
        if case.name not in self.ruled:
            query = f"select id, {text} from {case.table} order by id"
            self.ruled[case.name] = self.con.execute(query).fetchall()
        return self.ruled[case.name]
