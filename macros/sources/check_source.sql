{#-
    Reads a mapped source once, before its view is replaced, and refuses what cannot be
    used: no rows at all (where rows are needed), text that is no number or timestamp,
    columns of a type that cannot be meant.
-#}
{% macro check_source(source, numbers=[], timestamps=[], needs_rows=false) -%}
    {%- set checks = [] -%}
    {%- for key in numbers + timestamps if key in source.names -%}
        {%- set column = segql.quote_identifier(source.names[key]) -%}
        {%- set type = source.types[key] -%}
        {%- set kind = segql.column_kind(type) -%}
        {%- set wanted = 'number' if key in numbers else 'timestamp' -%}
        {%- if kind not in ['text', wanted, wanted ~ 'tz'] -%}
            {%- do exceptions.raise_compiler_error(
                source.name ~ ": column '" ~ source.names[key] ~ "' (mapped as " ~ key ~ ") is "
                ~ type ~ ", a " ~ wanted ~ " is expected"
            ) -%}
        {%- endif -%}
        {%- if kind == 'text' -%}
            {%- set text = 'trim(cast(' ~ column ~ ' as string))' -%}
            {%- if wanted == 'number' -%}
                {%- set value = 'try_cast(' ~ text ~ ' as double)' -%}
            {%- else -%}
                {%- set value = segql.timestamp_expression(
                    column, type, source.options.get('timestamp_format')) -%}
            {%- endif -%}
            {%- do checks.append({
                'column': source.names[key],
                'text': text,
                'bad': text ~ " <> '' and " ~ value ~ ' is null',
                'wanted': wanted,
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not checks and not needs_rows -%}{{ return('') }}{%- endif -%}

    {%- set query -%}
        select
            count(*) as source_rows
            {%- for check in checks %},
            count(case when {{ check.bad }} then 1 end) as bad_{{ loop.index }},
            min(case when {{ check.bad }} then {{ check.text }} end) as example_{{ loop.index }}
            {%- endfor %}
        from {{ source.from }}
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- if needs_rows and row[0] == 0 -%}
        {%- do exceptions.raise_compiler_error(
            source.name ~ ': ' ~ source.text ~ ' is empty, there is nothing to segment'
        ) -%}
    {%- endif -%}
    {%- for check in checks -%}
        {%- set bad = row[2 * loop.index - 1] | int -%}
        {%- if bad > 0 -%}
            {%- do exceptions.raise_compiler_error(
                source.name ~ ": column '" ~ check.column ~ "' of " ~ source.text ~ ' holds ' ~ bad
                ~ ' values (of ' ~ (row[0] | int) ~ ' rows) that are no ' ~ check.wanted
                ~ ", for example '" ~ row[2 * loop.index] ~ "'"
                ~ ('; timestamp_format states another notation' if check.wanted == 'timestamp')
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
