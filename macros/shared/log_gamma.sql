{#- The logarithm of the gamma function, of a number from 1 on. -#}
{% macro log_gamma(number) -%}
    {{ return(adapter.dispatch('log_gamma', 'segql')(number)) }}
{%- endmacro %}

{% macro default__log_gamma(number) -%}
    lgamma({{ number }})
{%- endmacro %}

{#-
    Spark has none: Stirling's series from ten on, which is exact to 1e-16 there, less the
    logarithm of the rising product that leads there.
-#}
{% macro spark__log_gamma(number) -%}
    {%- set x = '(' ~ number ~ ' + 10e0)' -%}
    {%- set product = [] -%}
    {%- for step in range(10) -%}
        {%- do product.append('(' ~ number ~ ' + ' ~ step ~ 'e0)') -%}
    {%- endfor -%}
    (
        ({{ x }} - 0.5e0) * ln({{ x }}) - {{ x }} + 0.9189385332046727e0
        + (1e0 / 12 - (1e0 / 360 - (1e0 / 1260 - (1e0 / 1680 - 1e0 / 1188
        / ({{ x }} * {{ x }})) / ({{ x }} * {{ x }})) / ({{ x }} * {{ x }}))
        / ({{ x }} * {{ x }})) / {{ x }}
        - ln({{ product | join(' * ') }})
    )
{%- endmacro %}
