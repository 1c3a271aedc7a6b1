"""What a step is: parameters in, aggregates asked for, learned state and its SQL out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlglot import exp

from segql.aggregates import LONGEST_LEVEL, Learning, Levels, Profile, Request
from segql.errors import SegqlError
from segql.sql_text import usable
from segql.statistics import Statistics


class Step(ABC):
    """One option value of the recipe, e.g. ``scale: standard``.

    Attributes
    ----------
    slot : str
        The recipe option it is a value of: impute, transform, scale or encode.
    name : str
        The value that selects it.
    """

    slot: ClassVar[str]
    name: ClassVar[str]

    def __init__(self, column: str, parameter: Any = None) -> None:
        if parameter is not None:
            raise SegqlError(
                f"column {column!r}: {self.slot} {self.name} takes no parameter, got {parameter!r}"
            )
        self.column = column

    def refuse(self, parameter: Any, accepted: str) -> SegqlError:
        """Word the error for a parameter that the step does not accept."""
        return SegqlError(
            f"column {self.column!r}: {self.slot} {self.name} got {parameter!r}; "
            f"accepted: {accepted}"
        )


def check_levels(column: str, levels: Levels) -> None:
    """Refuse texts that are too long to be categories.

    Raises
    ------
    SegqlError
    """
    for name, _ in levels.counts:
        if len(str(name)) > LONGEST_LEVEL:
            raise SegqlError(
                f"column {column!r} holds the text {str(name)[:20]!r}… of more than "
                f"{LONGEST_LEVEL} characters; accepted: shorter categories, or another column"
            )


@dataclass(frozen=True)
class Imputation:
    """The value that stands in for a missing number; None until (or unless) there is one."""

    step: str
    value: float | None
    source: str


class NumberImputer(Step):
    """Learns the stand-in for NULL, NaN and infinity."""

    slot = "impute"

    def wanted(self, value: exp.Expr, profile: Profile) -> list[Request]:
        """List what ``learn`` will ask for, so that it can share a pass with other steps."""
        return []

    @abstractmethod
    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Imputation]:
        """Learn from the column's usable values."""


class Transform(ABC):
    """A learned, monotone change of a number's shape."""

    step: ClassVar[str]

    @abstractmethod
    def sql(self, value: exp.Expr) -> exp.Expr:
        """SQL of the transformed value; the argument is cheap to repeat."""

    def branches(self, value: exp.Expr, limit: float) -> list[tuple[exp.Expr, exp.Expr]]:
        """List the conditions of usable numbers, each with the SQL of the transformed value."""
        return [(usable(value.copy(), limit), self.sql(value))]

    @abstractmethod
    def value(self, value: float) -> float:
        """Transform one number in Python: constants, bounds."""

    @abstractmethod
    def inverse(self, value: float) -> float:
        """Return the original number, as far as one exists."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Learned parameters, for the registry."""


class Identity(Transform):
    """t = x."""

    step = "none"

    def sql(self, value: exp.Expr) -> exp.Expr:
        """Return the value itself."""
        return value.copy()

    def value(self, value: float) -> float:
        """Return the number itself."""
        return value

    def inverse(self, value: float) -> float:
        """Return the number itself."""
        return value

    def state(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}


class Transformer(Step):
    """Learns a transform."""

    slot = "transform"

    def candidates(self, profile: Profile) -> list[Transform]:
        """List the transforms whose moments will be asked for, as far as they are known."""
        return [Identity()]

    def order(self, candidate: Transform) -> int:
        """Highest moment of a candidate that will be asked for."""
        return 2

    @abstractmethod
    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Learn from the imputed values; ``prepared(transform)`` is their SQL under a transform."""


class PreparedBy(ABC):
    """The SQL of a column, imputed, under any transform that is tried."""

    @abstractmethod
    def __call__(self, transform: Transform) -> exp.Expr:
        """SQL of the transformed column."""


@dataclass(frozen=True)
class Scaling:
    """z = (t − center) · factor."""

    step: str
    center: float
    factor: float


class Scaler(Step):
    """Learns centre and factor of a linear scale."""

    slot = "scale"
    #: Whether it learns from the values that are there, imputed ones not counted.
    of_present = False

    @abstractmethod
    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Learn from the transformed values."""

    def scaling(self, center: float, spread: float) -> Scaling:
        """Make the scaling; a column without spread keeps its unit, as in scikit-learn."""
        return Scaling(self.name, center, 1.0 / spread if spread > 0 else 1.0)
