{#-
    A CTE `reasoned`: the kept rows of segql.recommendations, each with its source and the sentence
    that says why. The product named is the one of the customer's that weighs most.
-#}
{% macro recommendation_reasons(options) -%}
traced as (

    select
        *,
        cast(ceil(lead / 4294967296e0) as bigint) as weight,
        cast(ceil(lead / 4294967296e0) as bigint) * 4294967296 - lead as bought
    from kept

),

reasoned as (

    select
        kept.customer_number,
        kept.product_number,
        kept.place,
        kept.score,
        case
            {%- if options.owned %}
            when kept.kind = 'before' then 'bought_before'
            {%- endif %}
            when links.segment_buyers >= {{ options.min_support }} then 'co_purchase'
            when kept.kind = 'together' then 'co_purchase_all'
            when popularity.is_of_segment then 'popular_in_segment'
            else 'popular'
        end as source,
        case
            {%- if options.owned %}
            when kept.kind = 'before'
                then
                    'bought before, in ' || owned.orders
                    || case when owned.orders = 1 then ' order' else ' orders' end
            {%- endif %}
            when links.segment_buyers >= {{ options.min_support }}
                then
                    'bought together with ' || lead_names.product_name || ' by '
                    || links.segment_buyers || ' customers of the same segment'
            when kept.kind = 'together'
                then
                    'bought together with ' || lead_names.product_name || ' by '
                    || links.buyers || ' customers'
            when popularity.is_of_segment
                then 'popular: bought by ' || popularity.buyers || ' customers of the same segment'
            else
                'popular: bought by ' || popularity.overall_buyers
                || case when popularity.overall_buyers = 1 then ' customer' else ' customers' end
        end as reason
    from traced as kept
    inner join popularity
        on
            kept.segment_number = popularity.segment_number
            and kept.product_number = popularity.product_number
    left join links
        on
            kept.segment_number = links.segment_number
            and kept.bought = links.bought
            and kept.product_number = links.related
    left join products as lead_products
        on kept.bought = lead_products.product_number
    left join names as lead_names
        on lead_products.product_id = lead_names.product_id
    {%- if options.owned %}
    left join owned
        on
            kept.customer_number = owned.customer_number
            and kept.product_number = owned.product_number
    {%- endif %}

)
{%- endmacro %}
