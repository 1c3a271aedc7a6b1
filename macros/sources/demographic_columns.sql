{#-
    The demographic columns of the customers source as {name, source}: those the mapping
    lists ([age, …] or {new_name: column}), by default those of a known list that exist.
-#}
{% macro demographic_columns(source) -%}
    {%- set known = segql.known_demographics() | list -%}
    {%- set existing = {} -%}
    {%- for column in source.columns -%}
        {%- do existing.update({column.name | lower: column.name}) -%}
    {%- endfor -%}
    {%- set given = source.options.get('demographics') -%}
    {%- set columns = [] -%}
    {%- if given is none -%}
        {%- for name in known if name in existing and existing[name] != source.names.customer -%}
            {%- do columns.append({'name': name, 'source': existing[name]}) -%}
        {%- endfor -%}
    {%- else -%}
        {%- if given is string or given is not iterable -%}
            {%- do exceptions.raise_compiler_error(
                "customers: demographics must be a list of columns, not '" ~ given ~ "'"
            ) -%}
        {%- endif -%}
        {%- for name in given -%}
            {%- set wanted = (given[name] if given is mapping else name) | string -%}
            {%- if wanted | lower not in existing -%}
                {%- do exceptions.raise_compiler_error(
                    "customers: no column '" ~ wanted ~ "' (mapped in demographics) in "
                    ~ source.text ~ "; it has "
                    ~ segql.nearest_names(wanted, source.columns | map(attribute='name') | list)
                ) -%}
            {%- endif -%}
            {%- do columns.append({'name': name | string, 'source': existing[wanted | lower]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set seen = [] -%}
    {%- for column in columns -%}
        {%- if column.name | lower in segql.reserved_columns() + seen -%}
            {%- do exceptions.raise_compiler_error(
                "customers: the demographic column '" ~ column.name ~ "' bears the name of another"
                ~ " column of the features; rename it, as in demographics: {my_" ~ column.name
                ~ ": " ~ column.source ~ "}"
            ) -%}
        {%- endif -%}
        {%- do seen.append(column.name | lower) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
