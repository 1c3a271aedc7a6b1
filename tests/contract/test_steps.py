"""Each recipe step's compiled SQL gives scikit-learn's numbers on every row, new rows included."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import duckdb
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import skew
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from support import Matrix, assert_rows_equal, points, prepared, store_numbers, usable

import segql
from segql.features import NumberFeature
from segql.steps import STEPS

ROWS = 700
Number = float | None
Reference = Callable[[Matrix, Matrix], Matrix]


def odd_columns(size: int = ROWS, seed: int = 5) -> dict[str, list[Number]]:
    """Columns as real tables have them: NULL, NaN, infinity, skew, ties, constants, far offsets."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Matrix] = {
        "normal": rng.normal(3, 2, size),
        "skewed": np.exp(rng.normal(0, 1.8, size)),
        "left": -np.exp(rng.normal(0, 1.2, size)),
        "both": rng.normal(0, 1, size) ** 3,
        "counts": rng.poisson(1.3, size).astype(float),
        "zeros": np.where(rng.random(size) < 0.9, 0.0, rng.exponential(5, size)),
        "constant": np.full(size, 7.25),
        "far": 1e8 + rng.normal(0, 1, size),
        "large": rng.exponential(1e9, size),
        "small": rng.exponential(1e-4, size),
        "whole": rng.normal(-50, 20, size),
    }
    holes = {name: list(map(float, values)) for name, values in columns.items()}
    answer: dict[str, list[Number]] = {}
    for index, (name, values) in enumerate(holes.items()):
        filled: list[Number] = list(values)
        if name != "whole":
            for row in rng.choice(size, 40, replace=False):
                odd = (None, float("nan"), float("inf"), float("-inf"), 1e200)
                filled[int(row)] = odd[(int(row) + index) % 5]
        answer[name] = filled
    answer["half"] = [value if i % 2 else None for i, value in enumerate(holes["normal"])]
    return answer


def numbers_of(columns: dict[str, list[Number]], name: str) -> Matrix:
    return usable(columns[name])[:, None]


def median_filled(train: Matrix, rows: Matrix) -> tuple[Matrix, Matrix]:
    imputer = SimpleImputer(strategy="median").fit(train)
    return imputer.transform(train), imputer.transform(rows)


def imputed_by(strategy: str) -> Reference:
    return lambda train, rows: SimpleImputer(strategy=strategy).fit(train).transform(rows)


def scaled_by(scaler: type) -> Reference:
    def reference(train: Matrix, rows: Matrix) -> Matrix:
        filled, new = median_filled(train, rows)
        return scaler().fit(filled).transform(new)

    return reference


def untouched(train: Matrix, rows: Matrix) -> Matrix:
    return median_filled(train, rows)[1]


def winsorized(train: Matrix, rows: Matrix) -> Matrix:
    filled, new = median_filled(train, rows)
    return np.clip(new, *np.quantile(filled, [0.05, 0.9]))


def log1p(train: Matrix, rows: Matrix) -> Matrix:
    """Negative values count as zero, as the step says."""
    return FunctionTransformer(np.log1p).transform(np.maximum(untouched(train, rows), 0))


def auto(train: Matrix, rows: Matrix) -> Matrix:
    filled, new = median_filled(train, rows)
    takes_log = filled.min() >= 0 and filled.min() < filled.max() and skew(filled[:, 0]) > 1
    return np.log1p(np.maximum(new, 0)) if takes_log else new


#: (slot, name) → parameter of the step and what it must equal on numeric columns.
NUMBERS: dict[tuple[str, str], tuple[object, Reference]] = {
    ("impute", "median"): ("median", untouched),
    ("impute", "mean"): ("mean", imputed_by("mean")),
    ("impute", "mode"): ("mode", imputed_by("most_frequent")),
    (
        "impute",
        "constant",
    ): (
        {"constant": -3.5},
        lambda train, rows: (
            SimpleImputer(strategy="constant", fill_value=-3.5).fit(train).transform(rows)
        ),
    ),
    ("impute", "none"): ("none", lambda _, rows: rows),
    ("transform", "none"): ("none", untouched),
    ("transform", "log1p"): ("log1p", log1p),
    ("transform", "winsorize"): ({"winsorize": [0.05, 0.9]}, winsorized),
    ("transform", "auto"): ("auto", auto),
    ("scale", "none"): ("none", untouched),
    ("scale", "standard"): ("standard", scaled_by(StandardScaler)),
    ("scale", "minmax"): ("minmax", scaled_by(MinMaxScaler)),
    ("scale", "robust"): ("robust", scaled_by(RobustScaler)),
    ("scale", "maxabs"): ("maxabs", scaled_by(MaxAbsScaler)),
}
#: Steps with a test of their own.
ALONE = {
    ("transform", "yeo_johnson"): (__name__, "test_yeo_johnson"),
    ("encode", "onehot"): ("test_category_steps", "test_onehot"),
    ("encode", "ordinal"): ("test_category_steps", "test_ordinal"),
    ("encode", "frequency"): ("test_category_steps", "test_frequency"),
}


def test_every_registered_step_has_a_contract() -> None:
    registered = {(slot, name) for slot, steps in STEPS.items() for name in steps}
    assert registered == set(NUMBERS) | set(ALONE)
    for module, test in ALONE.values():
        assert callable(getattr(importlib.import_module(module), test))


def plain(**options: object) -> dict[str, object]:
    return {"impute": "median", "transform": "none", "scale": "none", **options}


@pytest.mark.parametrize(("slot", "name"), list(NUMBERS), ids=str)
def test_numeric_step_equals_scikit_learn(
    con: duckdb.DuckDBPyConnection, slot: str, name: str
) -> None:
    parameter, reference = NUMBERS[slot, name]
    columns, later = odd_columns(), odd_columns(300, seed=77)
    later["whole"][:4] = [None, float("nan"), float("inf"), 3.0]
    store_numbers(con, "train", columns)
    store_numbers(con, "later", later)
    options = plain(**{slot: parameter})
    model = segql.fit(
        con, "train", id="id", k=2, features={column: dict(options) for column in columns}
    )
    on_train, on_later = prepared(con, model, "train"), prepared(con, model, "later")
    assert [axis.name for axis in model.recipe.dimensions()] == list(columns)
    for index, column in enumerate(columns):
        train = numbers_of(columns, column)
        what = f"{slot} {name} of {column}"
        if (column, name) == ("far", "standard"):
            # The spacing of doubles at 1e8 is 2^-26: the mean itself is rounded by half of it,
            # scikit-learn's summed one by more. The reference takes the offset off first, exactly.
            near = reference(train - 1e8, train - 1e8)[:, 0]
            np.testing.assert_allclose(on_train[:, index], near, rtol=0, atol=2.0**-27 * 1.01)
            continue
        assert_rows_equal(on_train[:, index], reference(train, train)[:, 0], what)
        expected = reference(train, numbers_of(later, column))[:, 0]
        assert_rows_equal(on_later[:, index], expected, f"{what}, new rows")


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "maxabs"])
def test_whole_chain_in_model_space(con: duckdb.DuckDBPyConnection, scale: str) -> None:
    """Median, log1p, scale and weight; the coordinates of the model space differ by a shift."""
    columns = odd_columns()
    store_numbers(con, "train", columns)
    # log1p leaves nothing of a wholly negative column, and one digit in eight of an offset.
    features = {
        name: {"impute": "median", "transform": "log1p", "scale": scale, "weight": 1.5}
        for name in columns
        if name not in ("constant", "left", "far")
    }
    model = segql.fit(con, "train", id="id", k=3, features=features)
    scaler = NUMBERS["scale", scale][1]
    expected = np.hstack(
        [
            1.5 * scaler(filled := log1p(numbers_of(columns, n), numbers_of(columns, n)), filled)
            for n in features
        ]
    )
    assert_rows_equal(prepared(con, model, "train"), expected, scale)
    ours = points(con, model, "train")
    assert_rows_equal(ours, expected - expected.mean(axis=0), f"{scale}, model space")


def likelihood_slope(power: float, x: Matrix) -> float:
    """Derivative of the Yeo-Johnson log-likelihood by the power, divided by n."""
    up, down = x[x >= 0] + 1, 1 - x[x < 0]
    t, slope = np.empty_like(x), np.empty_like(x)

    def branch(base: Matrix, p: float) -> tuple[Matrix, Matrix]:
        log = np.log(base)
        if abs(p) < 1e-8:
            return log + p * log**2 / 2, log**2 / 2 + p * log**3 / 3
        raised = np.expm1(p * log)
        return raised / p, (log * (raised + 1) * p - raised) / p**2

    t[x >= 0], slope[x >= 0] = branch(up, power)
    low, low_slope = branch(down, 2 - power)
    t[x < 0], slope[x < 0] = -low, low_slope
    centred = t - t.mean()
    jacobian = np.mean(np.sign(x) * np.log1p(np.abs(x)))
    return float(-np.mean(centred * slope) / np.mean(centred**2) + jacobian)


def test_yeo_johnson(con: duckdb.DuckDBPyConnection) -> None:
    """The power is the root of the likelihood's derivative, and scikit-learn's within its own
    tolerance; with that power every row equals PowerTransformer."""
    columns = odd_columns()
    shapes = [name for name in columns if name not in ("far", "small")]
    store_numbers(con, "train", {name: columns[name] for name in shapes})
    later = odd_columns(300, seed=78)
    store_numbers(con, "later", {name: later[name] for name in shapes})
    model = segql.fit(
        con, "train", id="id", k=2,
        features={name: plain(transform="yeo_johnson") for name in shapes},
    )  # fmt: skip
    on_train, on_later = prepared(con, model, "train"), prepared(con, model, "later")
    for index, feature in enumerate(model.recipe.features):
        assert isinstance(feature, NumberFeature)
        filled, new = median_filled(
            numbers_of(columns, feature.name), numbers_of(later, feature.name)
        )
        if feature.name == "constant":
            assert feature.transform.step == "none"
            assert_rows_equal(on_later[:, index], new[:, 0], "a constant is left as it is")
            continue
        power = feature.transform.state()["power"]
        theirs = PowerTransformer(method="yeo-johnson", standardize=False).fit(filled)
        # How near theirs is to the optimum depends on scipy: 1.18 stops at 3e-7.
        assert power == pytest.approx(theirs.lambdas_[0], abs=1e-6), feature.name
        around = (power - 0.01, power + 0.01)
        root = brentq(likelihood_slope, *around, args=(filled[:, 0],), xtol=1e-14)
        assert power == pytest.approx(root, abs=1e-8), feature.name
        theirs.lambdas_ = np.array([power])
        assert_rows_equal(on_train[:, index], theirs.transform(filled)[:, 0], feature.name)
        assert_rows_equal(on_later[:, index], theirs.transform(new)[:, 0], feature.name)


@pytest.mark.parametrize("impute", ["median", "mean", "mode", "none"])
def test_indicator_and_weight(con: duckdb.DuckDBPyConnection, impute: str) -> None:
    columns = {name: odd_columns()[name] for name in ("normal", "half", "whole")}
    store_numbers(con, "train", columns)
    model = segql.fit(
        con, "train", id="id", k=2,
        features={
            "normal": plain(impute="median", indicator=True, weight=2.5, scale="standard"),
            "whole": plain(),
            "half": plain(impute=impute, indicator=True),
        },
    )  # fmt: skip
    axes = [axis.name for axis in model.recipe.dimensions()]
    assert axes == ["normal", "normal=missing", "whole", "half", "half=missing"]
    z = prepared(con, model, "train")
    normal = numbers_of(columns, "normal")
    flag = MissingIndicator(features="all").fit_transform(normal).astype(float)
    filled = SimpleImputer(strategy="median").fit_transform(normal)
    assert_rows_equal(z[:, [0]], 2.5 * StandardScaler().fit_transform(filled), "weight")
    assert_rows_equal(z[:, [1]], 2.5 * flag, "indicator")
    assert_rows_equal(z[:, 4], np.isnan(numbers_of(columns, "half"))[:, 0] * 1.0, "half")


def test_boolean_columns_are_zero_and_one(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table train as select i as id, case when i % 7 = 0 then null else i % 3 = 0 end "
        "as flag, i * 1.5 as other from range(200) as r (i)"
    )
    model = segql.fit(
        con, "train", id="id", k=2, features={"flag": {"impute": "mode"}, "other": {}}
    )
    flags = con.sql("select flag::int::double as f from train order by id").df()["f"].to_numpy()
    filled = SimpleImputer(strategy="most_frequent").fit_transform(flags[:, None])
    expected = StandardScaler().fit_transform(filled)
    assert_rows_equal(prepared(con, model, "train")[:, [0]], expected, "boolean")


def test_offset_of_1e8_with_spread_1(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(11)
    columns = {name: list(1e8 + rng.normal(0, 1, 5000)) for name in ("x", "y")}
    store_numbers(con, "train", columns)
    model = segql.fit(con, "train", id="id", k=4, features={"x": {}, "y": {}})
    values = np.column_stack([usable(columns[name]) for name in columns])
    expected = StandardScaler().fit_transform(values - 1e8)  # the difference is exact
    tolerance = 2.0**-27 * 1.03  # the mean, rounded to a double near 1e8
    np.testing.assert_allclose(prepared(con, model, "train"), expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(points(con, model, "train"), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("size", [1e5, 1e18, 1e60, 1e98])
def test_yeo_johnson_of_large_numbers(con: duckdb.DuckDBPyConnection, size: float) -> None:
    """No power overflows or squeezes the column until no digit is left."""
    rng = np.random.default_rng(12)
    values = size * np.exp(rng.normal(0, 0.5, 500))
    store_numbers(con, "train", {"x": list(values), "y": list(rng.normal(0, 1, 500))})
    model = segql.fit(
        con, "train", id="id", k=2, features={"x": {"transform": "yeo_johnson"}, "y": {}}
    )
    z = prepared(con, model, "train")[:, 0]
    assert abs(skew(z)) < 0.3  # a lognormal column comes out near normal
    ranks = np.argsort(values)
    assert (np.diff(z[ranks]) > 0).all()


@pytest.mark.parametrize(("parameter", "spread"), [("sample", True), ("center", False)])
def test_standard_of_the_values_that_are_there(
    con: duckdb.DuckDBPyConnection, parameter: str, spread: bool
) -> None:
    values = [1.0, 2.0, None, 4.0, float("nan"), 9.0]
    store_numbers(con, "t", {"x": values, "y": [float(i) for i in range(6)]})
    options = {"impute": "mean", "transform": "none", "scale": {"standard": parameter}}
    model = segql.fit(con, "t", id="id", k=2, features={"x": options, "y": None})
    there = np.array([1.0, 2.0, 4.0, 9.0])
    filled = np.array([1.0, 2.0, 4.0, 4.0, 4.0, 9.0])
    expected = (filled - 4.0) / (there.std(ddof=1) if spread else 1.0)
    np.testing.assert_allclose(prepared(con, model, "t")[:, 0], expected, rtol=1e-12)


def test_standard_refuses_another_parameter(con: duckdb.DuckDBPyConnection) -> None:
    store_numbers(con, "t", {"x": [1.0, 2.0, 3.0]})
    with pytest.raises(segql.SegqlError, match=r"scale standard got 'n'; accepted: .* sample"):
        segql.fit(con, "t", id="id", k=2, features={"x": {"scale": {"standard": "n"}}})
