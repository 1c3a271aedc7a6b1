"""Doors in SQL: functions of a session (Python) and macros of the file (plain SQL)."""

from __future__ import annotations

from segql.functions.session import register

__all__ = ["register"]
