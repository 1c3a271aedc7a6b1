{#-
    Refuses columns that a relation does not have, naming the option and the nearest names, and
    columns of another kind than kinds says, as {option: kind}. Says nothing of a relation that is
    not built yet.
-#}
{% macro check_columns(macro, relation, wanted, kinds={}) -%}
    {%- if execute -%}
    {%- set existing = {} -%}
    {%- for column in segql.relation_columns(relation) -%}
        {%- do existing.update({column.name | lower: column}) -%}
    {%- endfor -%}
    {%- for option, column in wanted.items() if existing and column is not none -%}
        {%- set found = existing.get(column | lower) -%}
        {%- if found is none -%}
            {%- do exceptions.raise_compiler_error(
                macro ~ ": no column '" ~ column ~ "' (" ~ option ~ ') in ' ~ relation
                ~ '; it has ' ~ segql.nearest_names(
                    column, existing.values() | map(attribute='name') | list)
            ) -%}
        {%- elif option in kinds and not found.kind.startswith(kinds[option]) -%}
            {%- do exceptions.raise_compiler_error(
                macro ~ ": column '" ~ column ~ "' (" ~ option ~ ') of ' ~ relation ~ ' is '
                ~ found.kind ~ ', a ' ~ kinds[option] ~ ' is expected; cast it in a model before'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
