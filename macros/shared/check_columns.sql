{#-
    Refuses columns that a relation does not have, naming the option and the nearest names.
    Says nothing of a relation that is not built yet.
-#}
{% macro check_columns(macro, relation, wanted) -%}
    {%- if execute -%}
    {%- set existing = segql.relation_columns(relation) | map(attribute='name') | list -%}
    {%- set lowered = existing | map('lower') | list -%}
    {%- for option, column in wanted.items()
        if existing and column is not none and column | lower not in lowered -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": no column '" ~ column ~ "' (" ~ option ~ ') in ' ~ relation ~ '; it has '
            ~ segql.nearest_names(column, existing)
        ) -%}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
