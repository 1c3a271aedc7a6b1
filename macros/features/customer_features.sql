{#-
    The table that models learn from, one row per customer with a used order line: the RFM
    features, then the demographic and the behaviour columns as far as the sources have them.
    Each may be a relation or a query in parentheses; what is none is left out.
-#}
{% macro customer_features(rfm_features, demographic_features=none, behavior_features=none) -%}
    {%- set taken = ['customer_id'] -%}
    {%- for column in segql.relation_columns(rfm_features) -%}
        {%- do taken.append(column.name | lower) -%}
    {%- endfor -%}
    {%- set more = [] -%}
    {%- if demographic_features is not none -%}
        {%- do more.append(('demographic_features', demographic_features)) -%}
    {%- endif -%}
    {%- if behavior_features is not none -%}
        {%- do more.append(('behavior_features', behavior_features)) -%}
    {%- endif -%}
with

rfm_features as (

    select * from {{ rfm_features }}

)

{%- for name, relation in more %},

{{ name }} as (

    select * from {{ relation }}

)
{%- endfor %},

joined as (

    select
        rfm_features.*
        {%- for name, relation in more -%}
        {%- for column in segql.relation_columns(relation, except=['customer_id']) %},
        {%- if column.name | lower in taken -%}
            {%- do exceptions.raise_compiler_error(
                "customer_features: two columns are called '" ~ column.name ~ "'; rename the"
                ~ " demographic one, as in demographics: {my_" ~ column.name ~ ": column}"
            ) -%}
        {%- endif -%}
        {%- do taken.append(column.name | lower) %}
        {{ name }}.{{ segql.quote_identifier(column.name) }}
        {%- endfor -%}
        {%- endfor %}
    from rfm_features
    {%- for name, _ in more %}
    left join {{ name }}
        on rfm_features.customer_id = {{ name }}.customer_id
    {%- endfor %}

)

select * from joined
{%- endmacro %}
