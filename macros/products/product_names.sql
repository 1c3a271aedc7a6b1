{#-
    The name and the category of every product that was bought, one row per product_id; products
    without a name bear their id. purchases is the name of a CTE.
-#}
{% macro product_names(purchases, options) -%}
{%- set has = options.products is not none -%}
{%- set id = 'cast(bought.product_id as string)' -%}
with

bought as (

    select product_id
    from {{ purchases }}
    group by product_id

)
{%- if has %},

described as (

    select
        {{ segql.quote_identifier(options.product_key) }} as product_id,
        {{ 'min(cast(' ~ segql.quote_identifier(options.product_name) ~ ' as string))'
            if options.product_name is not none else 'cast(null as string)' }} as product_name,
        {{ 'min(cast(' ~ segql.quote_identifier(options.category) ~ ' as string))'
            if options.category is not none else 'cast(null as string)' }} as category
    from {{ options.products }}
    group by {{ segql.quote_identifier(options.product_key) }}

)
{%- endif %}

select
    bought.product_id,
    {% if has -%}
    coalesce(nullif(trim(described.product_name), ''), {{ id }}) as product_name,
    nullif(trim(described.category), '') as category
    {%- else -%}
    {{ id }} as product_name,
    cast(null as string) as category
    {%- endif %}
from bought
{%- if has %}
left join described
    on bought.product_id = described.product_id
{%- endif %}
{%- endmacro %}
