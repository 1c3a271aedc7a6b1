{#- The sum of an expression of `i` over the whole numbers from first to last; 0 without one. -#}
{% macro sum_of_terms(first, last, term) -%}
    {{ return(adapter.dispatch('sum_of_terms', 'segql')(first, last, term)) }}
{%- endmacro %}

{% macro default__sum_of_terms(first, last, term) -%}
    coalesce(list_sum(list_transform(
        range({{ first }}, {{ last }} + 1),
        lambda i: {{ term }}
    )), 0)
{%- endmacro %}

{#- Where first is above last, Spark's sequence would count down. -#}
{% macro spark__sum_of_terms(first, last, term) -%}
    case
        when {{ first }} <= {{ last }}
            then aggregate(
                sequence({{ first }}, {{ last }}), 0e0, (summed, i) -> summed + {{ term }})
        else 0e0
    end
{%- endmacro %}
