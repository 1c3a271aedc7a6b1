"""segql: customer segments where the data lives, left behind as plain SQL."""

from __future__ import annotations

from segql.errors import SegqlError, UnknownModelError
from segql.functions import register
from segql.lifecycle import evaluate, export, fit, load, models, predict
from segql.model import Model

__all__ = [
    "Model",
    "SegqlError",
    "UnknownModelError",
    "evaluate",
    "export",
    "fit",
    "load",
    "models",
    "predict",
    "register",
]
