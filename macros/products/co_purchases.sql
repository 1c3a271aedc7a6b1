{#-
    Products that the same customers buy, as CTEs ending in `links`: for each segment and product
    bought, the few products most alike by cosine, buyers of both over the root of the buyers of
    each. A pair counts with `min_support` buyers of both, and more than chance would give; its
    cosine in the segment is drawn towards that of all customers, which decides alone where the
    segment has nothing to say.

    What keeps pairs from exploding: of a customer the last `max_basket` products count, and of the
    products the `max_products` with most buyers. Weights are whole numbers of 2^-30, so that their
    sums do not depend on the order, and the heaviest bears its product in the bits below: `lead` is
    weight · 2^32 less the number of the product bought.
-#}
{% macro co_purchases(stages, min_support, max_basket, max_products) -%}
{%- set pseudo_buyers = 10 -%}
{%- set pseudo_segment = 200 -%}
{%- set overall_links = 30 -%}
{%- set segment_links = 20 -%}
{% call segql.stage(stages, 'candidates') %}
select product_number
from (
    select
        product_number,
        row_number() over (order by buyers desc, product_number) as place
    from products
    where buyers >= {{ min_support }}
) as supported
where place <= {{ max_products }}
{% endcall %},

{% call segql.stage(stages, 'baskets') %}
select
    customer_number,
    segment_number,
    product_number
from (
    select
        owned.*,
        row_number() over (
            partition by owned.customer_number
            order by owned.last_ordered_on desc, owned.orders desc, owned.product_number
        ) as place
    from owned
    inner join candidates
        on owned.product_number = candidates.product_number
) as recent
where place <= {{ max_basket }}
{% endcall %},

{% call segql.stage(stages, 'segment_pairs') %}
select
    baskets.segment_number,
    baskets.product_number as product_a,
    others.product_number as product_b,
    count(*) as buyers
from baskets
inner join baskets as others
    on
        baskets.customer_number = others.customer_number
        and baskets.product_number < others.product_number
group by baskets.segment_number, baskets.product_number, others.product_number
{% endcall %},

{% call segql.stage(stages, 'pairs') %}
select
    product_a,
    product_b,
    cast(sum(buyers) as bigint) as buyers
from segment_pairs
group by product_a, product_b
having sum(buyers) >= {{ min_support }}
{% endcall %},

{% call segql.stage(stages, 'directed') %}
select
    product_a as bought,
    product_b as related,
    buyers
from pairs
union all
select
    product_b as bought,
    product_a as related,
    buyers
from pairs
{% endcall %},

{% call segql.stage(stages, 'basket_segments') %}
select
    segment_number,
    product_number,
    count(*) as buyers
from baskets
group by segment_number, product_number
{% endcall %},

{% call segql.stage(stages, 'basket_products') %}
select
    product_number,
    cast(sum(buyers) as bigint) as buyers
from basket_segments
group by product_number
{% endcall %},

{% call segql.stage(stages, 'alike') %}
select
    directed.bought,
    directed.related,
    directed.buyers,
    directed.buyers
    / sqrt(
        (bought.buyers + {{ pseudo_buyers }}e0) * (related.buyers + {{ pseudo_buyers }}e0)
    ) as cosine
from directed
inner join basket_products as bought
    on directed.bought = bought.product_number
inner join basket_products as related
    on directed.related = related.product_number
cross join total
where 1e0 * directed.buyers * total.buyers > 1e0 * bought.buyers * related.buyers
{% endcall %},

{% call segql.stage(stages, 'nearest') %}
select
    bought,
    related,
    buyers,
    cosine
from (
    select
        *,
        row_number() over (
            partition by bought
            order by cosine desc, related
        ) as place
    from alike
) as placed
where place <= {{ overall_links }}
{% endcall %},

{% call segql.stage(stages, 'weighed') %}
select
    segments.segment_number,
    nearest.bought,
    nearest.related,
    nearest.buyers,
    coalesce(segment_pairs.buyers, 0) as segment_buyers,
    (coalesce(segment_pairs.buyers, 0) + {{ pseudo_segment }}e0 * nearest.cosine)
    / (
        sqrt(1e0 * coalesce(bought.buyers, 0) * coalesce(related.buyers, 0))
        + {{ pseudo_segment }}e0
    ) as weight
from nearest
cross join segments
left join segment_pairs
    on
        segments.segment_number = segment_pairs.segment_number
        and least(nearest.bought, nearest.related) = segment_pairs.product_a
        and greatest(nearest.bought, nearest.related) = segment_pairs.product_b
left join basket_segments as bought
    on
        segments.segment_number = bought.segment_number
        and nearest.bought = bought.product_number
left join basket_segments as related
    on
        segments.segment_number = related.segment_number
        and nearest.related = related.product_number
{% endcall %},

{% call segql.stage(stages, 'links') %}
select
    segment_number,
    bought,
    related,
    buyers,
    segment_buyers,
    cast(round(weight * 1073741824e0) as bigint) as weight,
    cast(round(weight * 1073741824e0) as bigint) * 4294967296 - bought as lead
from (
    select
        *,
        row_number() over (
            partition by segment_number, bought
            order by weight desc, related
        ) as place
    from weighed
) as placed
where place <= {{ segment_links }}
{% endcall %}
{%- endmacro %}
