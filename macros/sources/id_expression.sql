{#- A column as a text id: 25671.0 becomes 25671, blank text and NaN become NULL. -#}
{% macro id_expression(column, type) -%}
    {{ return(adapter.dispatch('id_expression', 'segql')(column, type)) }}
{%- endmacro %}

{% macro default__id_expression(column, type) -%}
    {%- if modules.re.match('^(DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC)', type | upper) -%}
        {%- set number = 'cast(' ~ column ~ ' as double)' -%}
        case
            when {{ segql.is_finite(number) }} then
                case
                    when {{ number }} = floor({{ number }}) and abs({{ number }}) < 1e18
                        then cast(cast({{ number }} as bigint) as varchar)
                    else cast({{ column }} as varchar)
                end
        end
    {%- elif segql.column_kind(type) == 'text' -%}
        case when trim(cast({{ column }} as varchar)) <> '' then cast({{ column }} as varchar) end
    {%- else -%}
        cast({{ column }} as varchar)
    {%- endif -%}
{%- endmacro %}
