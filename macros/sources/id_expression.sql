{#- A column as a text id: 25671.0 becomes 25671, text is trimmed, blank and NaN become NULL. -#}
{% macro id_expression(column, type) -%}
    {{ return(adapter.dispatch('id_expression', 'segql')(column, type)) }}
{%- endmacro %}

{% macro default__id_expression(column, type) -%}
    {%- if modules.re.match('^(DOUBLE|FLOAT|REAL)', type | upper) -%}
        {%- set number = 'cast(' ~ column ~ ' as double)' -%}
        case
            when {{ segql.is_finite(number) }} then
                case
                    when {{ number }} = floor({{ number }}) and abs({{ number }}) < 1e18
                        then cast(cast({{ number }} as bigint) as string)
                    else cast({{ column }} as string)
                end
        end
    {%- elif modules.re.match('^(DECIMAL|NUMERIC)', type | upper) -%}
        {#- Never through a double: a decimal id can have more digits than one holds. -#}
        case
            when {{ column }} = floor({{ column }}) then cast(cast({{ column }} as decimal(38, 0)) as string)
            else cast({{ column }} as string)
        end
    {%- elif segql.column_kind(type) == 'text' -%}
        nullif(trim(cast({{ column }} as string)), '')
    {%- else -%}
        cast({{ column }} as string)
    {%- endif -%}
{%- endmacro %}
