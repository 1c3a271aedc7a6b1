{#-
    A CTE `popularity` on those of segql.numbered_purchases: each segment's share of buyers of every
    product, drawn towards everybody's by `shrinkage` customers, so that a segment without
    purchases has everybody's; its place in the segment, and whether `min_support` members bought it.
-#}
{% macro product_popularity(stages, shrinkage, min_support) -%}
{% call segql.stage(stages, 'segment_products') %}
select
    segment_number,
    product_number,
    count(*) as buyers
from owned
group by segment_number, product_number
{% endcall %},

{% call segql.stage(stages, 'shares') %}
select
    segments.segment_number,
    products.product_number,
    products.buyers as overall_buyers,
    coalesce(segment_products.buyers, 0) as buyers,
    coalesce(segment_products.buyers, 0) >= {{ min_support }} as is_of_segment,
    coalesce(
        (
            coalesce(segment_products.buyers, 0)
            + {{ shrinkage }} * cast(products.buyers as double) / total.buyers
        )
        / nullif(coalesce(segment_sizes.buyers, 0) + {{ shrinkage }}, 0),
        cast(products.buyers as double) / total.buyers
    ) as share
from segments
cross join products
cross join total
left join segment_sizes
    on segments.segment_number = segment_sizes.segment_number
left join segment_products
    on
        segments.segment_number = segment_products.segment_number
        and products.product_number = segment_products.product_number
{% endcall %},

{% call segql.stage(stages, 'popularity') %}
select
    *,
    row_number() over (
        partition by segment_number
        order by share desc, product_number
    ) as place
from shares
{% endcall %}
{%- endmacro %}
