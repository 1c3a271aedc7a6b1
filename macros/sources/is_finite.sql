{#- True for a number that is neither NULL, NaN nor infinite. -#}
{% macro is_finite(expression) -%}
    {{ return(adapter.dispatch('is_finite', 'segql')(expression)) }}
{%- endmacro %}

{% macro default__is_finite(expression) -%}
    ({{ expression }} between -1.7e308 and 1.7e308)
{%- endmacro %}
