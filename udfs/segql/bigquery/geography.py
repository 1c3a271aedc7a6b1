"""BigQuery's points and their distance on a sphere: the geography functions of its tutorials."""

from __future__ import annotations

from sqlglot import exp, parse_one

from segql import sql_text as sql
from segql.errors import SegqlError

#: Radius of the sphere that BigQuery measures on, in metres.
EARTH_RADIUS = 6_371_010.0


def replace_geography(tree: exp.Expr) -> exp.Expr:
    """Write ST_GEOGPOINT as a struct and ST_DISTANCE as the haversine of two of them."""
    found = [
        node for node in tree.find_all(exp.Func) if _name(node) in ("ST_GEOGPOINT", "ST_DISTANCE")
    ]
    for node in reversed(found):
        arguments = list(node.expressions) or [
            item for item in (node.args.get("this"), node.args.get("expression")) if item
        ]
        name = _name(node)
        if len(arguments) != 2:
            raise SegqlError(f"{name} got {len(arguments)} arguments; accepted: 2")
        first, second = (f"({sql.text(item)})" for item in arguments)
        if name == "ST_GEOGPOINT":
            text = f"{{'longitude': {first}::double, 'latitude': {second}::double}}"
        else:
            text = _haversine(first, second)
        written = parse_one(text, dialect="duckdb")
        if node is tree:
            return written
        node.replace(written)
    return tree


def _name(node: exp.Func) -> str:
    return str(node.this if isinstance(node, exp.Anonymous) else node.sql_name()).upper()


def _haversine(first: str, second: str) -> str:
    north, south = f"radians({first}.latitude)", f"radians({second}.latitude)"
    turned = f"radians({second}.longitude - {first}.longitude)"
    return (
        f"({2 * EARTH_RADIUS!r} * asin(least(1.0e0, sqrt(sin(({south} - {north}) / 2) ** 2 + "
        f"cos({north}) * cos({south}) * sin({turned} / 2) ** 2))))"
    )
