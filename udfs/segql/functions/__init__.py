"""Doors in SQL: functions of a session (Python) and macros of the file (plain SQL)."""

from __future__ import annotations

from segql.functions.registering import register

__all__ = ["register"]
