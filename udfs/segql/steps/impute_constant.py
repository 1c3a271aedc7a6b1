"""Impute a constant that the user gives."""

from __future__ import annotations

import math
from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, Profile
from segql.steps.base import Imputation, NumberImputer


class ImputeConstant(NumberImputer):
    """Stand-in: ``{"impute": {"constant": 0}}``."""

    name = "constant"

    def __init__(self, column: str, parameter: Any = None) -> None:
        super().__init__(column)
        usable = isinstance(parameter, int | float) and not isinstance(parameter, bool)
        if not usable or not math.isfinite(parameter) or abs(parameter) > sql.LARGEST:
            raise self.refuse(parameter, 'a number, e.g. {"impute": {"constant": 0}}')
        self.constant = float(parameter)

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Imputation]:
        """Nothing to ask for."""
        yield from ()
        return Imputation(self.name, self.constant, "option")
