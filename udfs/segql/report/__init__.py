"""The report: one self-contained HTML page, built from the marts and the registry."""

from segql.report.writing import write_report

__all__ = ["write_report"]
