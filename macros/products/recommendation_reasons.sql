{#-
    A CTE `reasoned`: the kept rows of segql.recommendations, each with its source and the sentence
    that says why. The product named is the one of the customer's that weighs most.
-#}
{% macro recommendation_reasons(options) -%}
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
            when leads.segment_buyers >= {{ options.min_support }} then 'co_purchase'
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
            when leads.segment_buyers >= {{ options.min_support }}
                then
                    'bought together with ' || lead_names.product_name || ' by '
                    || leads.segment_buyers || ' customers of the same segment'
            when kept.kind = 'together'
                then
                    'bought together with ' || lead_names.product_name || ' by '
                    || leads.buyers || ' customers'
            when popularity.is_of_segment
                then 'popular: bought by ' || popularity.buyers || ' customers of the same segment'
            else
                'popular: bought by ' || popularity.overall_buyers
                || case when popularity.overall_buyers = 1 then ' customer' else ' customers' end
        end as reason
    from kept
    inner join popularity
        on
            kept.segment_number = popularity.segment_number
            and kept.product_number = popularity.product_number
    left join leads
        on
            kept.customer_number = leads.customer_number
            and kept.product_number = leads.product_number
            and leads.place = 1
    left join products as lead_products
        on leads.bought = lead_products.product_number
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
