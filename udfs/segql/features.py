"""A learned feature: one input column, what its steps learned, and the dimensions it becomes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, LevelsOf, Moments, MomentsOf, Profile, ProfileOf
from segql.statistics import Statistics
from segql.steps import (
    TRANSFORMS,
    Identity,
    Imputation,
    NumberImputer,
    OneHot,
    PreparedBy,
    Scaler,
    Scaling,
    Transform,
    Transformer,
)
from segql.steps.base import check_levels
from segql.steps.encode_ordinal import mapped
from segql.steps.transform_auto import transformed

#: Alias of the input relation in every generated query: each column is qualified with it, so
#: that no macro parameter and no scratch column can take a feature's place.
SOURCE = "source"
#: A coordinate beyond this is missing: the sum of a few hundred squares must be a double.
FARTHEST = 1e140


@dataclass(frozen=True)
class Dimension:
    """One axis of the model space: z = (base − origin) · factor + offset.

    ``base`` is SQL, everything else is linear and is folded into the weights of whatever
    follows. ``mean`` and ``variance`` are of ``base`` over all rows; ``bound`` is the largest
    |base − origin| seen; ``nullable`` axes are NULL for a row that misses the column.
    """

    name: str
    feature: str
    base: exp.Expr
    origin: float
    factor: float
    offset: float
    mean: float
    variance: float
    bound: float
    nullable: bool = False


@dataclass(frozen=True)
class Prepared(PreparedBy):
    """The SQL of a number, imputed, under any transform.

    The transform is written inside the CASE that tells usable numbers from missing ones, and the
    stand-in is transformed here: one CASE a column, each input read once.
    """

    raw: exp.Expr
    stand_in: float | None
    limit: float = sql.LARGEST

    def __call__(self, transform: Transform) -> exp.Expr:
        """SQL of the transformed column; NULL where nothing stands in for a missing number."""
        otherwise = None
        if self.stand_in is not None:
            otherwise = sql.number(transform.value(self.stand_in))
        return sql.case(transform.branches(self.raw, self.limit), otherwise)


@dataclass(frozen=True)
class NumberFeature:
    """A numeric column (or a category encoded as a number) after its steps have learned."""

    name: str
    kind: str
    imputation: Imputation
    transform: Transform
    scaling: Scaling
    indicator: bool
    weight: float
    profile: Profile
    raw_moments: Moments
    moments: Moments
    bound: float
    #: Numbers of the categories for ordinal and frequency encoding, else None.
    encoding: dict[str, Any] | None = None
    #: What an encoded column holds: text, number or boolean.
    stored: str = "text"

    @property
    def raw(self) -> exp.Expr:
        """The input column as a double, missing and unusable values included."""
        return raw_number(self.name, self.kind, self.encoding)

    @property
    def base(self) -> exp.Expr:
        """The column after imputation and transform."""
        return Prepared(self.raw, self.imputation.value, self.limit)(self.transform)

    @property
    def limit(self) -> float:
        """Largest absolute value that is a number to compute with; beyond it, it is missing.

        A new row may be far outside what was learned. Its square must stay finite in the model
        space, or its distance to every centroid would be infinite and its segment arbitrary.
        """
        seen = max(abs(self.profile.minimum), abs(self.profile.maximum), 1.0)
        for exponent in range(round(math.log10(sql.LARGEST)), 0, -5):
            limit = 10.0**exponent
            try:
                ends = [self.transform.value(end) for end in (-limit, limit)]
            except OverflowError:
                continue
            reach = max(abs(end - self.scaling.center) for end in ends)
            if reach * self.scaling.factor * self.weight <= FARTHEST:
                return max(limit, seen)
        return seen

    def dimensions(self) -> Iterator[Dimension]:
        """The scaled number, and its missing flag when asked for."""
        factor = self.scaling.factor * self.weight
        yield Dimension(
            self.name,
            self.name,
            self.base,
            self.moments.mean,
            factor,
            (self.moments.mean - self.scaling.center) * factor,
            self.moments.mean,
            self.moments.variance,
            self.bound,
            nullable=self.imputation.value is None,
        )
        if self.indicator:
            share = self.profile.missing / max(self.profile.count + self.profile.missing, 1)
            flag = sql.case([(sql.usable(self.raw, self.limit), sql.number(0.0))], sql.number(1.0))
            yield Dimension(
                f"{self.name}=missing",
                self.name,
                flag,
                0.0,
                self.weight,
                0.0,
                share,
                share * (1.0 - share),
                1.0,
            )

    def original(self, z: float) -> float:
        """Take a coordinate of the model space back to the column's own unit."""
        return self.transform.inverse(z / (self.scaling.factor * self.weight) + self.scaling.center)

    def with_stand_in(self, value: float) -> NumberFeature:
        """Complete the imputation with the coreset's value."""
        return replace(self, imputation=replace(self.imputation, value=value))

    def state(self) -> dict[str, Any]:
        """Everything learned, for the registry."""
        return {
            "name": self.name,
            "kind": self.kind,
            "imputation": vars(self.imputation),
            "transform": {"step": self.transform.step, **self.transform.state()},
            "scaling": vars(self.scaling),
            "indicator": self.indicator,
            "weight": self.weight,
            "profile": vars(self.profile),
            "raw_moments": vars(self.raw_moments),
            "moments": vars(self.moments),
            "bound": self.bound,
            "encoding": self.encoding,
            "stored": self.stored,
        }


@dataclass(frozen=True)
class CategoryFeature:
    """A text column after one-hot encoding has learned its levels."""

    name: str
    kind: str
    fill: str | None
    onehot: OneHot
    weight: float
    #: What the column holds: text, number or boolean.
    stored: str = "text"

    @property
    def raw(self) -> exp.Expr:
        """The input column as text, its stand-in in the place of NULL."""
        return raw_text(self.name, self.fill)

    def dimensions(self) -> Iterator[Dimension]:
        """One 0/1 axis a level."""
        for (label, base), count in zip(
            self.onehot.columns(self.raw), self.onehot.counts, strict=True
        ):
            share = count / max(self.onehot.rows, 1)
            yield Dimension(
                f"{self.name}={label}",
                self.name,
                base,
                0.0,
                self.weight,
                0.0,
                share,
                share * (1.0 - share),
                1.0,
            )

    def state(self) -> dict[str, Any]:
        """Everything learned, for the registry."""
        return {
            "name": self.name,
            "kind": self.kind,
            "fill": self.fill,
            "onehot": self.onehot.state(),
            "weight": self.weight,
            "stored": self.stored,
        }


Feature = NumberFeature | CategoryFeature


def raw_number(name: str, kind: str, encoding: dict[str, Any] | None) -> exp.Expr:
    """SQL of a column as a double."""
    value = sql.column(name, SOURCE)
    if encoding is not None:
        return mapped(value, encoding["numbers"], encoding["null"], encoding["other"])
    if kind == "boolean":
        return sql.case([(value, sql.number(1.0)), (exp.Not(this=value.copy()), sql.number(0.0))])
    return sql.double(value)


def raw_text(name: str, fill: str | None) -> exp.Expr:
    """SQL of a column as text."""
    value = exp.Cast(this=sql.column(name, SOURCE), to=exp.DataType.build("text"))
    if fill is None:
        return value
    missing = exp.Is(this=value.copy(), expression=exp.Null())
    return sql.case([(missing, sql.string(fill))], value)


def learn_number(
    name: str,
    kind: str,
    encoding: dict[str, Any] | None,
    imputer: NumberImputer,
    transformer: Transformer,
    scaler: Scaler,
    *,
    indicator: bool,
    weight: float,
    statistics: Statistics,
    stored: str = "text",
) -> Learning[NumberFeature]:
    """Learn one numeric column: profile, stand-in, transform, scale, each from the one before."""
    raw = raw_number(name, kind, encoding)
    usable = Prepared(raw, None)(Identity())
    native = sql.column(name, SOURCE) if kind == "number" and encoding is None else None
    request = ProfileOf(usable, native)
    profile: Profile = (yield [request])[request]
    if profile.count == 0:
        statistics.know(MomentsOf(usable), Moments(0, 0.0, 0.0, 0.0))
        nothing = Moments(0, 0.0, 0.0, 0.0)
        return NumberFeature(
            name, kind, Imputation(imputer.name, None, "none"), Identity(), Scaling("none", 0, 1),
            indicator, weight, profile, nothing, nothing, 0.0, encoding, stored,
        )  # fmt: skip
    # What imputing, transforming and scaling may ask for is asked for at once, of the usable
    # values: the stand-in's part in a moment is worked out afterwards, without a pass.
    candidates = transformer.candidates(profile)
    ahead = {
        shape.step: MomentsOf(Prepared(raw, None)(shape), transformer.order(shape))
        for shape in candidates
    }
    for shape in candidates:
        known = transformed(profile, shape)
        statistics.know(ProfileOf(ahead[shape.step].expression), known)
    measured = yield [*imputer.wanted(usable, profile), *ahead.values()]
    imputation = yield from imputer.learn(usable, profile)
    prepared = Prepared(raw, imputation.value)
    filled = _filled(profile, imputation.value)
    statistics.know(ProfileOf(prepared(Identity())), filled)
    if imputation.value is not None and profile.missing:
        for shape in candidates:
            part = shape.value(imputation.value)
            answer = measured[ahead[shape.step]].with_repeated(part, profile.missing)
            statistics.know(MomentsOf(prepared(shape)), answer)
    transform = yield from transformer.learn(prepared, filled, statistics)
    value = prepared(transform)
    after = transformed(filled, transform)
    statistics.know(ProfileOf(value), after)
    if scaler.of_present:
        present = Prepared(raw, None)(transform)
        scaling = yield from scaler.learn(present, transformed(profile, transform))
    else:
        scaling = yield from scaler.learn(value, after)
    final, plain = MomentsOf(value), MomentsOf(prepared(Identity()))
    answers = yield [final, plain]
    moments: Moments = answers[final]
    raw_moments: Moments = answers[plain]
    bound = max(after.maximum - moments.mean, moments.mean - after.minimum)
    return NumberFeature(
        name, kind, imputation, transform, scaling,
        indicator, weight, profile, raw_moments, moments, bound, encoding, stored,
    )  # fmt: skip


def learn_fill(name: str, impute: str, constant: Any) -> Learning[str | None]:
    """Learn what stands in for NULL in a text column: its mode, a constant, or nothing."""
    if impute == "constant":
        return str(constant)
    if impute != "mode":
        return None
    request = LevelsOf(raw_text(name, None))
    answers = yield [request]
    counts = answers[request].counts
    check_levels(name, answers[request])
    return str(counts[0][0]) if counts else None


def _filled(profile: Profile, stand_in: float | None) -> Profile:
    if stand_in is None or profile.missing == 0:
        return profile
    return Profile(
        profile.count + profile.missing,
        0,
        min(profile.minimum, stand_in),
        max(profile.maximum, stand_in),
        profile.center,
    )


def number_from_state(state: dict[str, Any]) -> NumberFeature:
    """Rebuild a numeric feature from the registry."""
    transform = dict(state["transform"])
    return NumberFeature(
        name=state["name"],
        kind=state["kind"],
        imputation=Imputation(**state["imputation"]),
        transform=TRANSFORMS[transform.pop("step")](**transform),
        scaling=Scaling(**state["scaling"]),
        indicator=state["indicator"],
        weight=state["weight"],
        profile=Profile(**state["profile"]),
        raw_moments=Moments(**state["raw_moments"]),
        moments=Moments(**state["moments"]),
        bound=state["bound"],
        encoding=state["encoding"],
        stored=state.get("stored", "text"),
    )


def category_from_state(state: dict[str, Any]) -> CategoryFeature:
    """Rebuild a category feature from the registry."""
    onehot = state["onehot"]
    return CategoryFeature(
        name=state["name"],
        kind=state["kind"],
        fill=state["fill"],
        onehot=OneHot(
            tuple(onehot["levels"]),
            tuple(onehot["rare"]),
            onehot["null"],
            tuple(onehot["counts"]),
            onehot["rows"],
        ),
        weight=state["weight"],
        stored=state.get("stored", "text"),
    )
