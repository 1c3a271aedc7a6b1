"""Sums of doubles that no row order and no thread can change, written in SQL.

Two forms, each the cheaper one where it is used: whole numbers for sums over the table, and
doubles on a grid for sums by segment, where a 128-bit state per group costs more than a scan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlglot import exp

from segql import sql_text as sql

#: Bits of an integer summand; a thousand billion of them still fit a 128-bit sum.
SUMMAND_BITS = 62


def scaled(expression: exp.Expr, bound: float) -> tuple[exp.Expr, int]:
    """Scale an expression so that, rounded to integers, its sum is exact in any order.

    Parameters
    ----------
    expression : sqlglot expression
        A double, at most ``bound`` in absolute value.
    bound : float
        Its largest absolute value.

    Returns
    -------
    expression, int
        What an engine's ``whole_sum`` adds, and the power of two that it was scaled by.
    """
    shift = SUMMAND_BITS - (math.frexp(bound)[1] if bound > 0 else 0)
    shift = max(-1000, min(1000, shift))
    return sql.product(expression, sql.number(math.ldexp(1.0, shift))), shift


def unscale(value: int | None, shift: int) -> Fraction:
    """Turn a sum of scaled integers back into the exact number."""
    factor = Fraction(2) ** shift
    return Fraction(int(value or 0)) / factor


@dataclass(frozen=True)
class GridSums:
    """Sums of scratch columns as doubles on two grids, a coarse one and one for the rest.

    A double that is a whole multiple of a step adds without rounding while the sum stays below
    2^53 steps; adding and subtracting 1.5 · 2^52 steps rounds to such a multiple. The steps
    follow from the number of rows: 2 · (52 − log2 rows) bits of the bound are kept, 56 at ten
    million rows (error-free transformation; Demmel & Nguyen 2013, reproducible summation).

    Parameters
    ----------
    names : sequence of str
        Scratch columns.
    bounds : sequence of float
        Largest absolute value of each.
    rows : int
        No more summands than this.
    """

    names: Sequence[str]
    bounds: Sequence[float]
    rows: int

    def columns(self) -> list[exp.Expr]:
        """Coarse part of each column, for a layer of its own."""
        return [
            sql.alias(
                _rounded(sql.scratch(name), self._steps(bound)[0]), f"{sql.SCRATCH}{name}_coarse"
            )
            for name, bound in zip(self.names, self.bounds, strict=True)
        ]

    def aggregates(self) -> list[exp.Expr]:
        """Two sums a column, over that layer."""
        sums: list[exp.Expr] = []
        for name, bound in zip(self.names, self.bounds, strict=True):
            coarse = sql.scratch(f"{name}_coarse")
            rest = exp.Paren(this=sql.minus(sql.scratch(name), coarse.copy()))
            sums.append(exp.Sum(this=coarse))
            sums.append(exp.Sum(this=_rounded(rest, self._steps(bound)[1])))
        return sums

    @staticmethod
    def exact(values: Sequence[float | None]) -> list[Fraction]:
        """Add the two sums of each column."""
        return [
            Fraction(values[i] or 0.0) + Fraction(values[i + 1] or 0.0)
            for i in range(0, len(values), 2)
        ]

    def _steps(self, bound: float) -> tuple[float, float]:
        digits = 52 - max(self.rows, 1).bit_length()
        exponent = max(math.frexp(bound)[1] if bound > 0 else 0, -800)
        coarse = exponent - digits
        return math.ldexp(1.0, coarse), math.ldexp(1.0, coarse - 1 - digits)


def _rounded(value: exp.Expr, step: float) -> exp.Expr:
    """SQL of a value rounded to a multiple of a step."""
    shifter = sql.number(1.5 * 2.0**52 * step)
    added = exp.Paren(this=exp.Add(this=value, expression=shifter))
    return exp.Sub(this=added, expression=shifter.copy())
