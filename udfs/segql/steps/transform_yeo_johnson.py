"""Transform towards a normal shape by a power that is learned; negative values allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, Moments, MomentsOf, Profile, ProfileOf
from segql.statistics import Statistics
from segql.steps.base import Identity, PreparedBy, Transform, Transformer
from segql.steps.transform_auto import transformed

#: Powers that are searched; beyond them a shape is not worth a power.
LOWEST, HIGHEST = -40.0, 42.0
#: Powers tried in one pass, and how many passes narrow the range before the curve is fitted.
CANDIDATES, ROUNDS = 13, 5
#: A power is tried while it neither overflows nor squeezes the column to the spacing of doubles.
WIDEST, NARROWEST = 1e100, 2.0**-39


@dataclass(frozen=True)
class YeoJohnson(Transform):
    """Yeo & Johnson (2000): a Box-Cox power of x + 1, mirrored with 2 − power below zero."""

    power: float
    step = "yeo_johnson"

    def sql(self, value: exp.Expr) -> exp.Expr:
        """SQL of both branches."""
        up = exp.Add(this=value.copy(), expression=sql.number(1.0))
        down = sql.minus(sql.number(1.0), value.copy())
        positive = sql.compare(exp.GTE, value.copy(), sql.number(0.0))
        negative = sql.compare(exp.LT, value.copy(), sql.number(0.0))
        return sql.case(
            [
                (positive, _power_sql(up, self.power)),
                (negative, sql.product(sql.number(-1.0), _power_sql(down, 2.0 - self.power))),
            ]
        )

    def value(self, value: float) -> float:
        """Transform one number."""
        if value >= 0:
            return _power(value + 1.0, self.power)
        return -_power(1.0 - value, 2.0 - self.power)

    def inverse(self, value: float) -> float:
        """Undo the transform; NaN where nothing maps to the value."""
        if value >= 0:
            return _root(value, self.power) - 1.0
        return 1.0 - _root(-value, 2.0 - self.power)

    def state(self) -> dict[str, Any]:
        """Return the learned power."""
        return {"power": self.power}


class TransformYeoJohnson(Transformer):
    """``{"transform": "yeo_johnson"}``, the power of largest likelihood.

    Notes
    -----
    The likelihood of a power needs the variance of the transformed column, which is one exact
    aggregate; a pass answers thirteen powers at once. Five passes narrow the range and the optimum
    is read off the polynomial through the last points (scikit-learn's PowerTransformer searches
    the same likelihood one power at a time).
    """

    name = "yeo_johnson"

    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Search the power of largest likelihood."""
        if profile.count == 0 or profile.minimum == profile.maximum:
            return Identity()
        low, high = LOWEST, HIGHEST
        fits = [power for power in np.linspace(low, high, 101) if _reach(profile, power) <= WIDEST]
        if not fits:
            return Identity()
        low, high = float(min(fits)), float(max(fits))
        slope = yield from self._mean_signed_log(prepared, profile, statistics)
        powers = np.linspace(low, high, CANDIDATES)
        likelihoods = powers
        for round_number in range(ROUNDS):
            powers = np.linspace(low, high, CANDIDATES)
            requests: list[Any] = []
            for power in powers:
                transform = YeoJohnson(float(power))
                request = MomentsOf(prepared(transform))
                statistics.know(ProfileOf(request.expression), transformed(profile, transform))
                requests.append(request)
            answers = yield requests
            moments: list[Moments] = [answers[request] for request in requests]
            likelihoods = np.array(
                [
                    _likelihood(m, float(power), slope)
                    for m, power in zip(moments, powers, strict=True)
                ]
            )
            if not np.isfinite(likelihoods).any():
                return Identity()
            best = int(np.argmax(likelihoods))
            if round_number < ROUNDS - 1:
                low, high = powers[max(best - 1, 0)], powers[min(best + 1, CANDIDATES - 1)]
        if not np.isfinite(likelihoods).all():
            return YeoJohnson(float(powers[best]))
        fitted = Polynomial.fit(powers, likelihoods, 6)
        roots = fitted.deriv().roots()
        inside = [
            float(root.real)
            for root in np.asarray(roots, dtype=complex)
            if abs(root.imag) < 1e-9 and low <= root.real <= high
        ]
        chosen = max(inside, key=lambda r: float(fitted(r)), default=float(powers[best]))
        return YeoJohnson(float(chosen))

    @staticmethod
    def _mean_signed_log(
        prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[float]:
        """Mean of sign(x)·log(1 + |x|), the derivative's part of the likelihood.

        It is the mean of the transform with power 0 above zero and power 2 below.
        """
        transform = _SignedLog()
        request = MomentsOf(prepared(transform))
        statistics.know(ProfileOf(request.expression), transformed(profile, transform))
        answers = yield [request]
        return float(answers[request].mean)


def _reach(profile: Profile, power: float) -> float:
    """Largest absolute value under a power; infinity when it overflows."""
    transform = YeoJohnson(float(power))
    try:
        return max(abs(transform.value(profile.minimum)), abs(transform.value(profile.maximum)))
    except OverflowError:
        return math.inf


def _likelihood(moments: Moments, power: float, slope: float) -> float:
    """Log-likelihood of a power, by row; −∞ where too few digits of the column are left."""
    if moments.deviation <= NARROWEST * abs(moments.mean):
        return -math.inf
    return -0.5 * math.log(moments.variance) + (power - 1.0) * slope


class _SignedLog(Transform):
    step = "signed_log"

    def sql(self, value: exp.Expr) -> exp.Expr:
        up = exp.Ln(this=exp.Add(this=value.copy(), expression=sql.number(1.0)))
        down = exp.Ln(this=sql.minus(sql.number(1.0), value.copy()))
        positive = sql.compare(exp.GTE, value.copy(), sql.number(0.0))
        negative = sql.compare(exp.LT, value.copy(), sql.number(0.0))
        return sql.case([(positive, up), (negative, exp.Neg(this=down))])

    def value(self, value: float) -> float:
        return math.copysign(math.log1p(abs(value)), value)

    def inverse(self, value: float) -> float:
        return math.copysign(math.expm1(abs(value)), value)

    def state(self) -> dict[str, Any]:
        return {}


def _power_sql(base: exp.Expr, power: float) -> exp.Expr:
    if abs(power) < 1e-12:
        return exp.Ln(this=base)
    raised = exp.Pow(this=exp.Paren(this=base), expression=sql.number(power))
    return exp.Div(
        this=exp.Paren(this=sql.minus(raised, sql.number(1.0))), expression=sql.number(power)
    )


def _power(base: float, power: float) -> float:
    return math.log(base) if abs(power) < 1e-12 else (base**power - 1.0) / power


def _root(value: float, power: float) -> float:
    if abs(power) < 1e-12:
        return math.exp(value)
    inside = value * power + 1.0
    return inside ** (1.0 / power) if inside > 0 else math.nan
