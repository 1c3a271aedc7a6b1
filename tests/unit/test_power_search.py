"""The search for Yeo-Johnson's power by itself, on moments that are computed here."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import yeojohnson
from sqlglot import exp
from step_answers import Known, Prepared, learned

from segql import sql_text as sql
from segql.aggregates import Moments, Profile
from segql.steps import Transform, YeoJohnson
from segql.steps.transform_yeo_johnson import TransformYeoJohnson, _likelihood, _reach


def answered(values: np.ndarray[Any, Any]) -> tuple[float, list[int]]:
    """Learn the power of a column whose moments are computed here; also the sizes of its asks."""
    step = TransformYeoJohnson("c")
    profile = Profile(
        len(values), 0, float(values.min()), float(values.max()), float(values.mean())
    )
    sizes: list[int] = []
    known: Any = Known()
    steps = step.learn(Prepared(), profile, known)
    with duckdb.connect() as con:
        con.execute("create table t as select unnest(?::double[]) as x", [values.tolist()])
        try:
            requests = next(steps)
            while True:
                sizes.append(len(requests))
                texts = [sql.text(item.expression) for item in requests]
                # Each was told the profile of what is asked for.
                assert set(texts) <= known.told.keys()
                found = con.execute(
                    f"select {', '.join(f'avg({text}), var_pop({text})' for text in texts)} from t"
                ).fetchall()[0]
                requests = steps.send(
                    {
                        item: Moments(len(values), found[2 * place], found[2 * place + 1], None)
                        for place, item in enumerate(requests)
                    }
                )
        except StopIteration as done:
            return float(done.value.power), sizes


@pytest.mark.parametrize("name", ["lognormal", "left", "both", "gamma", "whole"])
def test_the_power_is_of_largest_likelihood(name: str) -> None:
    rng = np.random.default_rng(3)
    values = {
        "lognormal": rng.lognormal(1, 0.6, 800),
        "left": -rng.lognormal(0, 0.5, 800),
        "both": rng.normal(0.3, 2, 800) ** 3 / 4,
        "gamma": rng.gamma(2, 3, 800),
        "whole": rng.poisson(3, 800).astype(float),
    }[name]
    power, sizes = answered(values)
    assert power == pytest.approx(yeojohnson(values)[1], abs=2e-5)
    assert sizes == [1, 13, 13, 13, 13, 13]


def test_the_parts_of_the_likelihood() -> None:
    moments = Moments(10, 3.0, 4.0, None)
    assert _likelihood(moments, 1.5, 0.8) == pytest.approx(-0.5 * math.log(4.0) + 0.5 * 0.8)
    # So narrow beside its mean that hardly a digit is left.
    assert _likelihood(Moments(10, 1.0, 2.0**-78, None), 1.0, 0.0) == -math.inf
    assert _likelihood(Moments(10, -1.0, 2.0**-78, None), 1.0, 0.0) == -math.inf
    assert math.isfinite(_likelihood(Moments(10, 1.0, 2.0**-77, None), 1.0, 0.0))
    assert _reach(Profile(5, 0, -3.0, 1.0, 0.0), 1.0) == 3.0
    assert _reach(Profile(5, 0, -1.0, 3.0, 0.0), 1.0) == 3.0
    assert _reach(Profile(5, 0, 1e90, 1e99, 0.0), 40.0) == math.inf


@pytest.mark.parametrize(
    "profile",
    [
        Profile(0, 4, 0.0, 0.0, 0.0),
        Profile(9, 0, 2.0, 2.0, 2.0),
        Profile(9, 0, -1e300, 1e300, 0.0),
    ],
)
def test_a_column_that_no_power_fits_is_left_as_it_is(profile: Profile) -> None:
    known: Any = Known()
    found, asked = learned(TransformYeoJohnson("c").learn(Prepared(), profile, known), {})
    assert (found.step, asked) == ("none", [])


class Recorded(Prepared):
    """Remembers the powers that were tried since it was last asked for them."""

    def __init__(self) -> None:
        self.powers: list[float] = []

    def __call__(self, transform: Transform) -> exp.Expr:
        if isinstance(transform, YeoJohnson):
            self.powers.append(transform.power)
        return super().__call__(transform)

    def taken(self) -> NDArray[np.float64]:
        powers, self.powers = self.powers, []
        return np.array(powers)


def test_one_figure_that_is_off_does_not_decide() -> None:
    """The optimum is that of the curve through all powers, wherever the largest figure is."""
    peak, known, tried = 0.7, Known(), Recorded()
    given: Any = known
    steps = TransformYeoJohnson("c").learn(tried, Profile(9, 0, -3.0, 3.0, 0.0), given)
    # Where the mean of the logarithms is 0, the likelihood is −log(variance) / 2.
    requests = steps.send({item: Moments(9, 0.0, 1.0, None) for item in next(steps)})
    for last in (False, False, False, False, True):
        powers = tried.taken()
        likelihoods = -((powers - peak) ** 2) / 10
        if last:
            best = int(likelihoods.argmax())
            likelihoods[best + 5] = 1e-9
        answers = {
            item: Moments(9, 0.0, math.exp(-2 * value), None)
            for item, value in zip(requests, likelihoods.tolist(), strict=True)
        }
        if not last:
            requests = steps.send(answers)
    with pytest.raises(StopIteration) as done:
        steps.send(answers)
    assert powers[best - 1] < done.value.value.power < powers[best + 1]
