"""The query of ``segql.trust``: one verdict, whoever asks for it."""

from __future__ import annotations

from importlib.resources import files

#: What the query reads of a segment (``t``) and its version (``m``).
_KNOWN = {
    "segment_id": "t.segment_id",
    "segment_key": "t.segment_key",
    "customers": "t.customers",
    "share": "t.share",
    "silhouette": "t.silhouette",
    "k": "m.k",
    "noise_share": "m.noise_share",
    "coreset_rows": "m.coreset_rows",
    "row_count": "m.row_count",
    "prefers_one": "m.prefers_one",
}
#: What a registry below schema version 5 has not, with its type.
_LATER = {
    "jaccard": ("t.jaccard", "double"),
    "previous_version": ("m.previous_version", "integer"),
    "ari_to_previous": ("m.ari_to_previous", "double"),
    "caps": ("m.caps", "varchar[]"),
}
_COUNTED = {"bootstraps": "integer", "bootstrap_rows": "bigint"}


def trust_columns(*, is_old: bool = False) -> str:
    """Columns of ``version_segments``, NULL where an old registry has none."""
    listed = [f"{expression} as {name}" for name, expression in _KNOWN.items()]
    for name, (expression, kind) in _LATER.items():
        listed.append(f"{f'null::{kind}' if is_old else expression} as {name}")
    for name, kind in _COUNTED.items():
        stored = (
            "(select max(d.numerical_value) from segql.diagnostics as d where d.model_name = "
            "m.model_name and d.model_version = m.model_version and d.diagnostic = "
            f"'{name}')"
        )
        listed.append(f"{'null' if is_old else stored}::{kind} as {name}")
    return ", ".join(listed)


def trust_body() -> str:
    """Text of the query over ``version_segments``, on one line."""
    text = (files(__package__) / "queries" / "trust.sql").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("--")]
    return " ".join(lines)
