{#- The customer features as a past date saw them, as a query. -#}
{% macro customer_features_as_of(date) -%}
    {%- set known = '(' ~ known_customers_as_of(date) ~ ')' -%}
    {%- set behavior = none -%}
    {%- if segql.has_source('events') -%}
        {%- set behavior = '(' ~ segql.behavior_features(
            ref('stg_events'), date, known_customers=known, **behavior_vars()) ~ ')' -%}
    {%- endif -%}
    {{ return(segql.customer_features(
        '(' ~ segql.rfm_features(ref('stg_order_lines'), date, **order_line_vars()) ~ ')',
        '(' ~ segql.demographic_features(
            ref('stg_customers'), date, known_customers=known, columns='all') ~ ')',
        behavior
    )) }}
{%- endmacro %}
