{#-
    The chance that at least `found` of `drawn` are marked, where `drawn` of `population` are drawn
    without looking and `marked` of them are marked (the upper tail of the hypergeometric
    distribution). All four are expressions of whole numbers. The terms are exponents of sums of
    log-gammas; they are added from `found` away from the mean, as far as they can matter: twelve
    deviations and forty.
-#}
{% macro hypergeometric_tail(found, population, marked, drawn) -%}
    {{ return(adapter.dispatch('hypergeometric_tail', 'segql')(found, population, marked, drawn)) }}
{%- endmacro %}

{% macro default__hypergeometric_tail(found, population, marked, drawn) -%}
    {%- do exceptions.raise_compiler_error(
        'hypergeometric_tail is not implemented for the adapter ' ~ adapter.type()
    ) -%}
{%- endmacro %}

{% macro duckdb__hypergeometric_tail(found, population, marked, drawn) -%}
    {%- set share = '(1e0 * ' ~ marked ~ ' / ' ~ population ~ ')' -%}
    {%- set reach -%}
        cast(40 + ceil(12 * sqrt({{ drawn }} * {{ share }} * (1 - {{ share }}))) as bigint)
    {%- endset -%}
    {%- set lowest = 'greatest(0, ' ~ drawn ~ ' + ' ~ marked ~ ' - ' ~ population ~ ')' -%}
    {%- set highest = 'least(' ~ drawn ~ ', ' ~ marked ~ ')' -%}
    {%- set constant -%}
        lgamma({{ marked }} + 1) + lgamma({{ population }} - {{ marked }} + 1)
        + lgamma({{ drawn }} + 1) + lgamma({{ population }} - {{ drawn }} + 1)
        - lgamma({{ population }} + 1)
    {%- endset -%}
    {%- set term -%}
        exp(
            {{ constant }}
            - lgamma(i + 1) - lgamma({{ marked }} - i + 1) - lgamma({{ drawn }} - i + 1)
            - lgamma({{ population }} - {{ marked }} - {{ drawn }} + i + 1)
        )
    {%- endset -%}
    case
        when {{ found }} >= {{ drawn }} * {{ share }}
            then least(1, coalesce(list_sum(list_transform(
                range(
                    greatest({{ found }}, {{ lowest }}),
                    least({{ highest }}, {{ found }} + {{ reach }}) + 1
                ),
                lambda i: {{ term }}
            )), 0))
        else greatest(0, 1 - coalesce(list_sum(list_transform(
            range(
                greatest({{ lowest }}, {{ found }} - 1 - {{ reach }}),
                least({{ found }} - 1, {{ highest }}) + 1
            ),
            lambda i: {{ term }}
        )), 0))
    end
{%- endmacro %}
