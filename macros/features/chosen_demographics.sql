{#- The columns that segql.demographic_features describes, as {name, kind}. -#}
{% macro chosen_demographics(customers, options) -%}
    {%- set macro = 'demographic_features' -%}
    {%- do segql.check_columns(macro, customers, {'customer': options.customer}) -%}
    {%- set existing = segql.relation_columns(customers, except=[
        options.customer | lower, 'registered_at'
    ]) -%}
    {%- if options.columns == 'all' -%}
        {{ return(existing) }}
    {%- endif -%}
    {%- set wanted = options.columns -%}
    {%- if wanted is none -%}
        {%- set wanted = segql.known_demographics() | list + [options.birth_date] -%}
    {%- elif wanted is string or wanted is mapping or wanted is not iterable -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": columns got '" ~ wanted ~ "'; accepted are a list of columns, all, or none"
        ) -%}
    {%- else -%}
        {%- for name in wanted -%}
            {%- do segql.check_columns(macro, customers, {'columns': name}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set lowered = wanted | map('lower') | list -%}
    {%- set chosen = [] -%}
    {%- for column in existing if column.name | lower in lowered -%}
        {%- do chosen.append(column) -%}
    {%- endfor -%}
    {{ return(chosen) }}
{%- endmacro %}
