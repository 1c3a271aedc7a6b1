"""Steps that encode a category give scikit-learn's numbers on every row, new levels included."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from support import assert_rows_equal, load_frame, prepared

import segql
from segql.model import Model

LEVELS = ["a", "b", "it's", 'say "x"', "ünï", "", " ", "other", "NULL", "z;--"]


def category_frame(seed: int, extra: tuple[str, ...] = ()) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shares = np.arange(1, len(LEVELS) + 1) ** 2.0
    values = rng.choice(LEVELS, 600, p=shares / shares.sum()).astype(object)
    values[rng.random(600) < 0.07] = None
    for index, level in enumerate(extra):
        values[index] = level
    return pd.DataFrame({"id": range(600), "level": values, "amount": rng.normal(0, 1, 600)})


def axes_by_level(model: Model, column: str) -> dict[str, int]:
    return {
        axis.name.split("=", 1)[1]: index
        for index, axis in enumerate(model.recipe.dimensions())
        if axis.feature == column
    }


def test_onehot(con: duckdb.DuckDBPyConnection) -> None:
    """One column a level, NULL included; an unseen level is zero everywhere."""
    train, later = category_frame(1), category_frame(2, extra=("new", "A", "a "))
    train = train[~train["level"].isin(["NULL", "other"])].reset_index(drop=True)
    later = later[~later["level"].isin(["NULL", "other"])].reset_index(drop=True)
    load_frame(con, "train", train)
    load_frame(con, "later", later)
    model = segql.fit(
        con, "train", id="id", k=2, features={"level": {"encode": "onehot"}, "amount": {}}
    )
    train_values = train[["level"]].fillna("<null>")
    later_values = later[["level"]].fillna("<null>")
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train_values)
    categories = list(theirs.categories_[0])
    at = axes_by_level(model, "level")
    order = [at["NULL" if level == "<null>" else level] for level in categories]
    weight = 1 / np.sqrt(len(categories))
    for name, values in (("train", train_values), ("later", later_values)):
        expected = weight * theirs.transform(values)
        assert_rows_equal(prepared(con, model, name)[:, order], expected, name)
    unseen = prepared(con, model, "later")[:3, order]
    assert (unseen == 0).all()


def test_onehot_top_groups_the_rare(con: duckdb.DuckDBPyConnection) -> None:
    """The most frequent have their own column, the rare share one, an unseen level has none."""
    train, later = category_frame(3), category_frame(4, extra=("new",))
    load_frame(con, "train", train)
    load_frame(con, "later", later)
    model = segql.fit(
        con, "train", id="id", k=2,
        features={"level": {"encode": {"onehot": {"top": 4}}, "weight": 1}, "amount": {}},
    )  # fmt: skip
    counts = train["level"].value_counts()
    top = sorted(counts.index, key=lambda level: (-counts[level], level))[:4]
    rare = set(counts.index) - set(top)
    expected = np.column_stack(
        [later["level"] == level for level in top]
        + [later["level"].isin(rare), later["level"].isna()]
    ).astype(float)
    ours = prepared(con, model, "later")[:, :-1]
    assert_rows_equal(ours, expected, "top 4, rare together, NULL")
    assert (ours[0] == 0).all()


def test_onehot_of_a_filled_category(con: duckdb.DuckDBPyConnection) -> None:
    train = category_frame(5)
    load_frame(con, "train", train)
    model = segql.fit(
        con, "train", id="id", k=2,
        features={"level": {"encode": "onehot", "impute": "mode", "weight": 1}, "amount": {}},
    )  # fmt: skip
    values = train[["level"]].astype(object).where(train[["level"]].notna(), None)
    imputer = SimpleImputer(strategy="most_frequent", missing_values=None)
    filled = imputer.fit_transform(values.to_numpy(dtype=object))
    theirs = OneHotEncoder(sparse_output=False).fit(filled)
    at = axes_by_level(model, "level")
    order = [at[level] for level in theirs.categories_[0]]
    assert len(at) == len(order)
    assert_rows_equal(prepared(con, model, "train")[:, order], theirs.transform(filled), "mode")


@pytest.mark.parametrize("impute", ["median", "mean", "mode", "none"])
def test_ordinal(con: duckdb.DuckDBPyConnection, impute: str) -> None:
    """0, 1, 2 … in the given order; NULL and unseen levels are the impute option's."""
    train, later = category_frame(6), category_frame(7, extra=("new",))
    load_frame(con, "train", train)
    load_frame(con, "later", later)
    order = LEVELS[::-1]
    model = segql.fit(
        con, "train", id="id", k=2,
        features={
            "level": {"encode": {"ordinal": {"order": order}}, "impute": impute, "scale": "none"},
            "amount": {},
        },
    )  # fmt: skip
    encoder = OrdinalEncoder(
        categories=[order], handle_unknown="use_encoded_value", unknown_value=np.nan,
        encoded_missing_value=np.nan,
    ).fit(train.loc[train["level"].notna(), ["level"]])  # fmt: skip
    encoded = [
        encoder.transform(f[["level"]].astype(object).fillna("<null>")) for f in (train, later)
    ]
    assert np.isnan(encoded[1][0, 0])
    strategy = {"mode": "most_frequent"}.get(impute, impute)
    for frame, values in zip(("train", "later"), encoded, strict=True):
        expected = values
        if impute != "none":
            expected = SimpleImputer(strategy=strategy).fit(encoded[0]).transform(values)
        assert_rows_equal(prepared(con, model, frame)[:, [0]], expected, f"{frame} {impute}")


def test_ordinal_defaults_to_sorted_levels(con: duckdb.DuckDBPyConnection) -> None:
    train = category_frame(8)
    load_frame(con, "train", train)
    model = segql.fit(
        con, "train", id="id", k=2,
        features={"level": {"encode": "ordinal", "impute": "none", "scale": "none"}, "amount": {}},
    )  # fmt: skip
    known = train["level"].notna()
    expected = OrdinalEncoder().fit_transform(train.loc[known, ["level"]].astype(str))
    ours = prepared(con, model, "train")[:, [0]]
    assert_rows_equal(ours[known], expected, "sorted")
    assert np.isnan(ours[~known]).all()


def test_frequency(con: duckdb.DuckDBPyConnection) -> None:
    """The share of the rows that have the level; NULL has its own share, an unseen level 0."""
    train, later = category_frame(9), category_frame(10, extra=("new",))
    load_frame(con, "train", train)
    load_frame(con, "later", later)
    model = segql.fit(
        con, "train", id="id", k=2,
        features={"level": {"encode": "frequency", "scale": "none"}, "amount": {}},
    )  # fmt: skip
    shares = train["level"].value_counts(normalize=True, dropna=False)
    share_of_null = train["level"].isna().mean()
    for name, frame in (("train", train), ("later", later)):
        expected = frame["level"].map(shares.to_dict()).astype(float).to_numpy(copy=True)
        expected[frame["level"].isna()] = share_of_null
        expected = np.nan_to_num(expected)
        assert_rows_equal(prepared(con, model, name)[:, 0], expected, name)
    assert prepared(con, model, "later")[0, 0] == 0
