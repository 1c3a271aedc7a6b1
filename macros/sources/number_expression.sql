{#- A column as a finite double: text is cast, blank text, NaN and infinities become NULL. -#}
{% macro number_expression(column, type) -%}
    {{ return(adapter.dispatch('number_expression', 'segql')(column, type)) }}
{%- endmacro %}

{% macro default__number_expression(column, type) -%}
    {%- set number -%}
        {%- if segql.column_kind(type) == 'text' -%}
            try_cast(trim(cast({{ column }} as string)) as double)
        {%- else -%}
            cast({{ column }} as double)
        {%- endif -%}
    {%- endset -%}
    case when {{ segql.is_finite(number) }} then {{ number }} end
{%- endmacro %}
