{#-
    The next products for every customer of a relation with a segment column, best first, each with
    its source and a reason as a sentence:
    co_purchase        bought together with a product of the customer's, in the same segment
    co_purchase_all    the same, where the segment has fewer than `min_support` such customers
    popular_in_segment bought most in the segment (of customers who bought nothing too)
    popular            bought most by everybody, where fewer than `min_support` in the segment did
    bought_before      only with owned=true, for consumables: first what the customer buys again

    The score adds the weights of segql.co_purchases over the customer's products and three times
    the product's share of buyers in the segment, which is drawn towards everybody's by `shrinkage`
    customers; of what was bought before it is the probability of the next order holding it. Nobody
    gets a product they own unless owned=true. `recipients`, a relation of ids, limits who is
    recommended anything, not whose purchases count. The other options are those of
    segql.product_options and segql.order_line_options. stages, a list, are those of segql.stage that
    the caller has begun, where a relation names one.

    {{ segql.recommendations(ref('invoices'), ref('rfm_segments'), segment='rfm_segment') }}
-#}
{% macro recommendations(
    order_lines,
    segments,
    as_of=none,
    segment='segment_key',
    id='customer_id',
    per_customer=5,
    owned=false,
    min_support=5,
    shrinkage=50,
    max_basket=50,
    max_products=5000,
    recipients=none,
    stages=none
) -%}
    {%- set macro = 'recommendations' -%}
    {%- set options = segql.macro_options(macro, segql.product_options(), kwargs) -%}
    {%- do segql.number_option(macro, 'per_customer', per_customer, lowest=1) -%}
    {%- do segql.flag_option(macro, 'owned', owned) -%}
    {%- do segql.number_option(macro, 'min_support', min_support, lowest=1) -%}
    {%- do segql.number_option(macro, 'shrinkage', shrinkage, whole=false) -%}
    {%- do segql.number_option(macro, 'max_basket', max_basket, lowest=1) -%}
    {%- do segql.number_option(macro, 'max_products', max_products, lowest=1) -%}
    {%- do segql.check_products(macro, order_lines, segments, segment, id, options) -%}
    {%- if recipients is not none -%}
        {%- do segql.check_columns(macro, recipients, {'id': id}) -%}
    {%- endif -%}
    {%- do options.update({
        'per_customer': per_customer, 'owned': owned, 'min_support': min_support,
        'shrinkage': shrinkage, 'max_basket': max_basket, 'max_products': max_products,
        'recipients': recipients, 'stages': stages or [],
    }) -%}
    {{ return(adapter.dispatch('recommendations', 'segql')(
        order_lines, segments, as_of, segment, id, options)) }}
{%- endmacro %}

{% macro default__recommendations(order_lines, segments, as_of, segment, id, options) -%}
{#- A list of its own: its stages mean nothing to the caller. -#}
{%- set stages = options.stages | list -%}
with

{% call segql.stage(stages, 'purchases') %}
{{ segql.segment_purchases(
    order_lines, segments, as_of, segment, id, options, with_orders=options.owned
) }}
{% endcall %},

{% call segql.stage(stages, 'members') %}
{{ segql.segment_members(segments, segment, id) }}
{% endcall %},

{% call segql.stage(stages, 'names') %}
{{ segql.product_names('purchases', options) }}
{% endcall %},

{{ segql.numbered_purchases(stages, with_orders=options.owned) }},

{{ segql.co_purchases(stages, options.min_support, options.max_basket, options.max_products) }},

{{ segql.product_popularity(stages, options.shrinkage, options.min_support) }},

{% if options.recipients is not none -%}
{% call segql.stage(stages, 'receivers') %}
select customers.*
from customers
inner join {{ options.recipients }} as chosen_customers
    on customers.customer_id = chosen_customers.{{ segql.quote_identifier(id) }}
{% endcall %},

{% endif -%}
{% call segql.stage(stages, 'together') %}
with

scored as (

    select
        baskets.customer_number,
        baskets.segment_number,
        links.related as product_number,
        cast(sum(links.weight) as double) / 1073741824e0 as weight,
        max(links.lead) as lead
    from baskets
    {%- if options.recipients is not none %}
    inner join receivers
        on baskets.customer_number = receivers.customer_number
    {%- endif %}
    inner join links
        on
            baskets.segment_number = links.segment_number
            and baskets.product_number = links.bought
    group by baskets.customer_number, baskets.segment_number, links.related

),

bought_together as (

    select
        scored.customer_number,
        scored.segment_number,
        scored.product_number,
        scored.lead,
        2 as tier,
        scored.weight + 3 * popularity.share as score,
        row_number() over (
            partition by scored.customer_number
            order by
                scored.weight + 3 * popularity.share desc,
                scored.product_number
        ) as place
    from scored
    inner join popularity
        on
            scored.segment_number = popularity.segment_number
            and scored.product_number = popularity.product_number
    left join owned
        on
            scored.customer_number = owned.customer_number
            and scored.product_number = owned.product_number
    where owned.customer_number is null

)

select
    customer_number,
    segment_number,
    product_number,
    lead,
    tier,
    score
from bought_together
where place <= {{ options.per_customer }}
{% endcall %},

-- The most popular products of the segment, as many more as the customer owns: some are left.
spots as (

    select
        owned.customer_number,
        owned.segment_number,
        {{ options.per_customer }} + row_number() over (
            partition by owned.customer_number
            order by owned.product_number
        ) as place
    from owned
    {%- if options.recipients is not none %}
    inner join receivers
        on owned.customer_number = receivers.customer_number
    {%- endif %}
    union all
    select
        getting.customer_number,
        getting.segment_number,
        first_places.place
    from {{ 'customers' if options.recipients is none else 'receivers' }} as getting
    inner join popularity as first_places
        on getting.segment_number = first_places.segment_number
    where first_places.place <= {{ options.per_customer }}

),

popular as (

    select
        spots.customer_number,
        spots.segment_number,
        popularity.product_number,
        cast(null as bigint) as lead,
        2 as tier,
        3 * popularity.share as score
    from spots
    inner join popularity
        on
            spots.segment_number = popularity.segment_number
            and spots.place = popularity.place
    left join owned
        on
            spots.customer_number = owned.customer_number
            and popularity.product_number = owned.product_number
    left join together
        on
            spots.customer_number = together.customer_number
            and popularity.product_number = together.product_number
    where
        owned.customer_number is null
        and together.customer_number is null

),

{% if options.owned -%}
{{ segql.bought_before(options.min_support) }},

{% endif -%}
candidate_rows as (

    select *, 'together' as kind from together
    union all
    select *, 'popular' as kind from popular
    {%- if options.owned %}
    union all
    select bought_before.*, 'before' as kind
    from bought_before
    {%- if options.recipients is not none %}
    inner join receivers
        on bought_before.customer_number = receivers.customer_number
    {%- endif %}
    {%- endif %}

),

chosen as (

    select
        *,
        row_number() over (
            partition by customer_number
            order by tier, score desc, product_number
        ) as place
    from candidate_rows

),

kept as (

    select * from chosen
    where place <= {{ options.per_customer }}

),

{{ segql.recommendation_reasons(options) }}

select
    customers.customer_id,
    customers.segment_key,
    cast(reasoned.place as integer) as rank,
    products.product_id,
    names.product_name,
    names.category,
    reasoned.source,
    reasoned.reason,
    reasoned.score
from reasoned
inner join customers
    on reasoned.customer_number = customers.customer_number
inner join products
    on reasoned.product_number = products.product_number
inner join names
    on products.product_id = names.product_id
{%- endmacro %}
