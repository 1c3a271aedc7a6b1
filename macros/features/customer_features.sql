{#-
    The table that models learn from, one row per customer with a used order line: the RFM
    features, then the demographic and the behaviour columns as far as the sources have them.
-#}
{% macro customer_features(rfm_features, demographic_features, behavior_features) -%}
    {%- set taken = ['customer_id'] -%}
with

rfm_features as (

    select * from {{ rfm_features }}

),

demographic_features as (

    select * from {{ demographic_features }}

),

behavior_features as (

    select * from {{ behavior_features }}

),

joined as (

    select
        rfm_features.*
        {%- for relation, name in [
            (demographic_features, 'demographic_features'), (behavior_features, 'behavior_features')
        ] -%}
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
    left join demographic_features
        on rfm_features.customer_id = demographic_features.customer_id
    left join behavior_features
        on rfm_features.customer_id = behavior_features.customer_id

)

select * from joined
order by customer_id
{%- endmacro %}
