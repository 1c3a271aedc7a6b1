"""sqlglot's BigQuery dialect, extended by the ML functions that take a model."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.bigquery import BigQueryParser
from sqlglot.tokenizer_core import TokenType

from segql.errors import SegqlError, unknown

#: Functions of a model that stand in FROM.
MODEL_FUNCTIONS = (
    "PREDICT",
    "EVALUATE",
    "CENTROIDS",
    "PRINCIPAL_COMPONENTS",
    "PRINCIPAL_COMPONENT_INFO",
    "TRAINING_INFO",
    "TRIAL_INFO",
    "FEATURE_INFO",
    "DETECT_ANOMALIES",
    "TRANSFORM",
)
#: BigQuery's other functions of a model: they are read, so that they can be refused by name.
OTHER_FUNCTIONS = (
    "ADVANCED_WEIGHTS", "ARIMA_COEFFICIENTS", "ARIMA_EVALUATE", "CONFUSION_MATRIX",
    "EXPLAIN_FORECAST", "EXPLAIN_PREDICT", "FEATURE_IMPORTANCE", "FORECAST", "GENERATE_EMBEDDING",
    "GENERATE_TEXT", "GLOBAL_EXPLAIN", "RECOMMEND", "ROC_CURVE", "WEIGHTS",
)  # fmt: skip


class ModelFunction(exp.Expression):
    """``ML.name(MODEL model [, settings] [, TABLE t | (query)] [, settings])``.

    ``data`` is a table or a sub-query, ``settings`` a STRUCT; BigQuery has them in either order.
    """

    arg_types = {"this": True, "model": True, "data": False, "settings": False}  # noqa: RUF012


class _Parser(BigQueryParser):
    FUNCTION_PARSERS = BigQueryParser.FUNCTION_PARSERS | {
        name: (lambda self, name=name: self.parse_model_function(name))
        for name in (*MODEL_FUNCTIONS, *OTHER_FUNCTIONS)
    }

    def parse_model_function(self, name: str) -> exp.Expr:
        """Parse the arguments; a function of this name without a model is somebody else's."""
        if not self._match_text_seq("MODEL"):
            arguments = self._parse_csv(self._parse_lambda)
            return self.expression(exp.Anonymous(this=name, expressions=arguments))
        found: dict[str, Any] = {"this": name, "model": self._parse_table_parts()}
        while self._match(TokenType.COMMA):
            if self._match(TokenType.STRUCT, advance=False):
                self._keep(found, "settings", self._parse_bitwise())
            else:
                self._match_text_seq("TABLE")
                self._keep(found, "data", self._parse_table())
        return self.expression(ModelFunction(**found))

    def _warn_unsupported(self) -> None:
        """Say nothing: what is no more than a command is refused in words of our own."""

    def _keep(self, found: dict[str, Any], argument: str, value: Any) -> None:
        if value is None or argument in found:
            self.raise_error(f"ML.{found['this']} takes one table or query and one STRUCT")
        found[argument] = value


class SegqlBigQuery(BigQuery):
    """BigQuery's SQL as segql reads it."""

    Parser = _Parser


def parse(text: str) -> list[exp.Expr]:
    """Read the statements of a text.

    Raises
    ------
    SegqlError
        Where the text is not BigQuery's SQL, in one line.
    """
    try:
        found = sqlglot.parse(text, dialect=SegqlBigQuery)
    except (ParseError, TokenError) as error:
        raise SegqlError(_unknown_function(text) or _told(error)) from error
    except RecursionError as error:
        raise SegqlError("the statement cannot be read: it is nested too deeply") from error
    return [item for item in found if item is not None and not isinstance(item, exp.Semicolon)]


def is_complete(text: str) -> bool:
    """Tell whether a text ends with a semicolon that is none of a string, name or comment."""
    try:
        tokens = SegqlBigQuery().tokenize(text)
    except TokenError:
        return False
    return not tokens or tokens[-1].token_type == TokenType.SEMICOLON


def _unknown_function(text: str) -> str | None:
    """Name the first ML function of a model that BigQuery itself does not have."""
    with suppress(TokenError):
        tokens = SegqlBigQuery().tokenize(text)
        for at in range(len(tokens) - 4):
            words = [token.text.upper() for token in tokens[at : at + 5]]
            is_call = words[:2] == ["ML", "."] and words[3:] == ["(", "MODEL"]
            if is_call and words[2] not in (*MODEL_FUNCTIONS, *OTHER_FUNCTIONS):
                known = [f"ML.{name}" for name in MODEL_FUNCTIONS]
                return unknown("function", f"ML.{words[2]}", known)
    return None


def _told(error: Exception) -> str:
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        said = str(first["description"]).split(" missing for <class")[0]
        near = " ".join(str(first["highlight"]).split())
        return (
            f"the statement cannot be read: {said} near {near!r} "
            f"(line {first['line']}, column {first['col']})"
        )
    return f"the statement cannot be read: {' '.join(str(error).split())}"
