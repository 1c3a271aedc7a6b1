"""Same rows and seed, same segments: whatever the order of the rows and the threads."""

from __future__ import annotations

import duckdb
import numpy as np
from support import blobs

import segql


def test_shuffled_rows_and_threads_give_identical_labels(con: duckdb.DuckDBPyConnection) -> None:
    """200,000 skewed rows with missing values, drawn to a coreset, k chosen automatically."""
    con.execute(
        """
        create table base as select 'c' || i as id,
            exp((hash(i, 1) % 100000) / 1e5 * 5 + (i % 3)) as spend,
            nullif((hash(i, 2) % 1000)::double * (1 + i % 3), 0) as recency,
            case when hash(i, 3) % 20 = 0 then 'nan'::double else ln(1 + hash(i, 4) % 5000) end
                as visits,
            ['web', 'store', 'phone'][1 + (hash(i, 5) % 3)::int] as channel
        from range(200000) as r (i)
        """
    )
    seen = set()
    for threads, order in ((1, "id"), (2, "hash(id)"), (4, "hash(id, 9)")):
        con.execute(f"set threads = {threads}")
        con.execute(f"create or replace table t as from base order by {order}")
        model = segql.fit(
            con, "t", id="id", name="m", k=(3, 5), pca=4,
            features=["spend", "recency", "visits", "channel"],
        )  # fmt: skip
        labels = con.sql(
            "select bit_xor(hash(id, segment_id, segment_key)), count(segment_id) "
            "from segql.predict('m', 't')"
        ).fetchall()
        seen.add((model.state(), repr(model.metrics), repr(model.trials), repr(labels)))
        assert labels[0][1] == 200_000
    assert len(seen) == 1


def test_twenty_shuffles_of_a_small_table(con: duckdb.DuckDBPyConnection) -> None:
    points = blobs(12, 600, 4, 5, 3.0)
    rng = np.random.default_rng(1)
    states = set()
    for _ in range(20):
        order = rng.permutation(len(points))
        con.execute("create or replace table t (id bigint, a double, b double, c double, d double)")
        con.execute(
            "insert into t select unnest(?::bigint[]), " + ", ".join(["unnest(?::double[])"] * 4),
            [order.tolist(), *points[order].T.tolist()],
        )
        model = segql.fit(con, "t", id="id", k=6, features=["a", "b", "c", "d"])
        states.add(model.state() + repr(model.metrics))
    assert len(states) == 1
