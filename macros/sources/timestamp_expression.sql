{#-
    A column as a timestamp without zone (UTC for zoned ones): text is cast, or parsed
    with the mapping's timestamp_format; what does not parse becomes NULL.
-#}
{% macro timestamp_expression(column, type, format=none) -%}
    {{ return(adapter.dispatch('timestamp_expression', 'segql')(column, type, format)) }}
{%- endmacro %}

{% macro duckdb__timestamp_expression(column, type, format=none) -%}
    {%- set kind = segql.column_kind(type) -%}
    {%- set timestamp -%}
        {%- if kind == 'text' and format -%}
            try_strptime(trim(cast({{ column }} as string)), {{ segql.string_literal(format) }})
        {%- elif kind == 'text' -%}
            {#- A cast to timestamp drops an offset such as +02:00 without applying it. -#}
            {%- set text = 'trim(cast(' ~ column ~ ' as string))' -%}
            case
                when regexp_matches({{ text }}, ':[0-9.]+ *([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$')
                    then timezone('UTC', try_cast({{ text }} as timestamptz))
                else try_cast({{ text }} as timestamp)
            end
        {%- elif kind == 'timestamptz' -%}
            timezone('UTC', {{ column }})
        {%- elif type | lower == 'date' -%}
            {#- DuckDB moves a cast into its CSV reader, which then cannot read 31.12.2025. -#}
            {{ column }} + interval 0 day
        {%- else -%}
            cast({{ column }} as timestamp)
        {%- endif -%}
    {%- endset -%}
    case when isfinite({{ timestamp }}) then {{ timestamp }} end
{%- endmacro %}

{% macro default__timestamp_expression(column, type, format=none) -%}
    {%- if format -%}
        {%- do exceptions.raise_compiler_error(
            'timestamp_expression: timestamp_format is not implemented for ' ~ target.type
        ) -%}
    {%- endif -%}
    cast({{ column }} as timestamp)
{%- endmacro %}

{% macro spark__timestamp_expression(column, type, format=none) -%}
    {%- set kind = segql.column_kind(type) -%}
    {%- set text = 'trim(cast(' ~ column ~ ' as string))' -%}
    {%- if kind == 'text' and format -%}
        cast(try_to_timestamp(
            {{ text }}, {{ segql.string_literal(segql.datetime_pattern(format)) }}
        ) as timestamp_ntz)
    {%- elif kind == 'text' -%}
        case
            when {{ text }} rlike ':[0-9.]+ *([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$'
                then convert_timezone('UTC', cast(try_cast({{ text }} as timestamp_ltz) as timestamp_ntz))
            else try_cast({{ text }} as timestamp_ntz)
        end
    {%- elif kind == 'timestamptz' -%}
        convert_timezone('UTC', cast({{ column }} as timestamp_ntz))
    {%- else -%}
        cast({{ column }} as timestamp_ntz)
    {%- endif -%}
{%- endmacro %}
