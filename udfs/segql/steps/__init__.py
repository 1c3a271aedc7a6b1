"""The closed list of recipe options: every step by its slot and name.

An explicit table rather than discovery: what can be written in a recipe is read here.
"""

from __future__ import annotations

from typing import Any

from segql.steps.base import (
    Identity,
    Imputation,
    NumberImputer,
    PreparedBy,
    Scaler,
    Scaling,
    Step,
    Transform,
    Transformer,
)
from segql.steps.encode_frequency import EncodeFrequency
from segql.steps.encode_onehot import EncodeOneHot, OneHot
from segql.steps.encode_ordinal import EncodeOrdinal
from segql.steps.impute_constant import ImputeConstant
from segql.steps.impute_mean import ImputeMean
from segql.steps.impute_median import ImputeMedian
from segql.steps.impute_mode import ImputeMode
from segql.steps.impute_none import ImputeNone
from segql.steps.scale_maxabs import ScaleMaxAbs
from segql.steps.scale_minmax import ScaleMinMax
from segql.steps.scale_none import ScaleNone
from segql.steps.scale_robust import ScaleRobust
from segql.steps.scale_standard import ScaleStandard
from segql.steps.transform_auto import TransformAuto
from segql.steps.transform_log1p import Log1p, TransformLog1p
from segql.steps.transform_none import TransformNone
from segql.steps.transform_winsorize import TransformWinsorize, Winsorize
from segql.steps.transform_yeo_johnson import TransformYeoJohnson, YeoJohnson

STEPS: dict[str, dict[str, type[Step]]] = {
    "impute": {
        step.name: step
        for step in (ImputeMedian, ImputeMean, ImputeMode, ImputeConstant, ImputeNone)
    },
    "transform": {
        step.name: step
        for step in (
            TransformNone,
            TransformLog1p,
            TransformYeoJohnson,
            TransformWinsorize,
            TransformAuto,
        )
    },
    "scale": {
        step.name: step
        for step in (ScaleNone, ScaleStandard, ScaleMinMax, ScaleRobust, ScaleMaxAbs)
    },
    "encode": {step.name: step for step in (EncodeOneHot, EncodeOrdinal, EncodeFrequency)},
}

TRANSFORMS: dict[str, Any] = {
    transform.step: transform for transform in (Identity, Log1p, Winsorize, YeoJohnson)
}

__all__ = [
    "STEPS",
    "TRANSFORMS",
    "Identity",
    "Imputation",
    "NumberImputer",
    "OneHot",
    "PreparedBy",
    "Scaler",
    "Scaling",
    "Step",
    "Transform",
    "Transformer",
]
