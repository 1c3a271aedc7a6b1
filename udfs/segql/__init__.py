"""segql: customer segments where the data lives, left behind as plain SQL."""

from __future__ import annotations

from segql.audiences import audience
from segql.bigquery import sql
from segql.errors import SegqlError, UnknownModelError
from segql.forgetting import forget
from segql.functions import register
from segql.lifecycle import evaluate, export, fit, load, models, predict
from segql.model import Model
from segql.publishing import Publication, publish
from segql.upkeep import drop, use_version
from segql.verdicts import trust

__all__ = [
    "Model",
    "Publication",
    "SegqlError",
    "UnknownModelError",
    "audience",
    "drop",
    "evaluate",
    "export",
    "fit",
    "forget",
    "load",
    "models",
    "predict",
    "publish",
    "register",
    "sql",
    "trust",
    "use_version",
]
