"""One call of every persisted macro, whose answer every client must give alike."""

from __future__ import annotations

#: What the clients' shop has: a model with PCA and two versions, and one of each other kind.
MODELS = ("customers", "tree", "dense", "wide", "densest")
_FIGURES = ", ".join(
    f"round({name}, 6) as {name}"
    for name in (
        "inertia", "silhouette", "davies_bouldin", "calinski_harabasz", "mean_squared_distance",
        "noise_share",
    )
)  # fmt: skip
_ATTRIBUTIONS = (
    "list_transform(top_feature_attributions, lambda a: {'feature': a.feature, "
    "'attribution': round(a.attribution, 6)})"
)


def _over_rows(model: str, version: str = "") -> dict[str, str]:
    """Calls that read a relation."""
    mark = f"{model}{version.replace(', version := ', ' v')}"
    return {
        f"predict {mark}": "select customer_id, segment_id, segment_key, round(distance, 6) as d, "
        "next_segment_id, round(confidence, 6) as c "
        f"from segql.predict('{model}', 'customer_features'{version})",
        f"evaluate {mark}": f"select n, {_FIGURES} "
        f"from segql.evaluate('{model}', 'customer_features'{version})",
        f"detect_anomalies {mark}": "select customer_id, is_anomaly, "
        "round(normalized_distance, 6) as d, centroid_id "
        f"from segql.detect_anomalies('{model}', 'customer_features', 0.05{version})",
        f"explain {mark}": f"select customer_id, segment_id, {_ATTRIBUTIONS} as attributions "
        f"from segql.explain('{model}', 'customer_features'{version})",
    }


def calls(long_tables: list[str]) -> dict[str, str]:
    """Statements by what they call; the first word is the macro's name."""
    found: dict[str, str] = {}
    for model in MODELS:
        found |= _over_rows(model)
    found |= _over_rows("customers", ", version := 1")
    found["evaluate stored"] = f"select n, {_FIGURES} from segql.evaluate('customers')"
    for model in MODELS:
        found[f"trust {model}"] = f"from segql.trust('{model}')"
    found["trust version"] = "from segql.trust('customers', version := 1)"
    for table in long_tables:
        for model in MODELS:
            found[f"{table} {model}"] = f"from segql.{table}('{model}')"
        found[f"{table} version"] = f"from segql.{table}('customers', version := 1)"
    for suffix in ("segment", "segment_key"):
        found[f"{suffix} positional"] = (
            f"select customer_id, segql.customers_{suffix}(recency, frequency, monetary, channel, "
            "newsletter) as s from customer_features"
        )
        found[f"{suffix} named"] = (
            f"select customer_id, segql.dense_{suffix}(monetary := monetary, recency := recency, "
            "frequency := frequency) as s from customer_features"
        )
    found["models table"] = "select model_name, model_version, is_current from segql.models"
    return found


def digest(statement: str) -> str:
    """A statement whose one row is the number of rows, and one text for all of their values."""
    return (
        "select count(*)::integer as n, coalesce(sum(hash(r::varchar)::hugeint), 0)::varchar as h "
        f"from ({statement}) as r"
    )
