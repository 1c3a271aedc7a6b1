{#-
    How often customers bought what they were recommended. Recommendations of the date `as_of` by
    segql.recommendations, `per_customer` of them, are looked up in what the same customers bought
    after it, until `until`; beside them the products that were bought most in the customer's
    segment, as many, and without what they own. Counted are customers who bought a product that
    they did not own (any product with owned=true), among products that somebody had bought before;
    of more than `buyers` such customers so many are drawn by a hash of their id.

    One row for each entry of `segmentations`, a mapping of names to segment columns of `segments`:
    segmentation, buyers, all_buyers, hit_rate (the share with at least one hit), precision_rate
    (hits per recommendation), popular_hit_rate and popular_precision_rate. A segment column that is
    the same for all gives global popularity. The other options are those of
    segql.order_line_options. stages, a list, are those of segql.stage that the caller has begun,
    where order_lines names one.

    {{ segql.recommendation_hits(
        ref('invoices'), ref('past_segments'), '2025-09-30', '2025-12-31') }}
-#}
{% macro recommendation_hits(
    order_lines,
    segments,
    as_of,
    until,
    segmentations={'segments': 'segment_key'},
    id='customer_id',
    per_customer=10,
    buyers=2000,
    owned=false,
    min_support=5,
    shrinkage=50,
    stages=none
) -%}
    {%- set macro = 'recommendation_hits' -%}
    {%- set options = segql.macro_options(macro, segql.order_line_options(), kwargs) -%}
    {%- do segql.check_segmentations(macro, segmentations) -%}
    {%- do segql.number_option(macro, 'per_customer', per_customer, lowest=1) -%}
    {%- do segql.number_option(macro, 'buyers', buyers, lowest=1) -%}
    {%- do segql.flag_option(macro, 'owned', owned) -%}
    {%- do segql.check_columns(macro, segments, {'id': id}) -%}
    {%- do segql.check_columns(macro, segments, segmentations) -%}
    {%- set wanted = {
        'per_customer': per_customer, 'owned': owned, 'min_support': min_support,
        'shrinkage': shrinkage, 'stages': stages or [],
    } -%}
    {{ return(adapter.dispatch('recommendation_hits', 'segql')(
        order_lines, segments, as_of, until, segmentations, id, buyers, wanted, options)) }}
{%- endmacro %}

{% macro default__recommendation_hits(
    order_lines, segments, as_of, until, segmentations, id, buyers, wanted, options
) -%}
{%- set owned = wanted.owned -%}
{%- set per_customer = wanted.per_customer -%}
{%- set first = segmentations.values() | first -%}
{%- set stages = wanted.stages | list -%}
with

{% call segql.stage(stages, 'owned') %}
{{ segql.segment_purchases(order_lines, segments, as_of, first, id, options) }}
{% endcall %},

{% call segql.stage(stages, 'known_products') %}
select
    product_id,
    count(*) as buyers
from owned
group by product_id
{% endcall %},

-- What was bought in the period, of products that could be recommended.
{% call segql.stage(stages, 'bought') %}
with

later as (

    {{ segql.segment_purchases(order_lines, segments, until, first, id, options) | indent(4) }}

),

past_date as (

    {{ segql.as_of_row(
        as_of, order_lines, segql.quote_identifier(options.timestamp), options.load_date
    ) | indent(4) }}

)

select
    later.customer_id,
    later.product_id
from later
inner join known_products
    on later.product_id = known_products.product_id
inner join past_date
    on later.last_ordered_on > past_date.as_of_date
{%- if not owned %}
left join owned
    on
        later.customer_id = owned.customer_id
        and later.product_id = owned.product_id
where owned.customer_id is null
{%- endif %}
{% endcall %},

{% call segql.stage(stages, 'all_buyers') %}
select
    customer_id,
    row_number() over (
        order by
            {{ segql.hash_number('cast(customer_id as string)') }},
            customer_id
    ) as place
from bought
group by customer_id
{% endcall %},

{% call segql.stage(stages, 'recipients') %}
select customer_id as {{ segql.quote_identifier(id) }}
from all_buyers
where place <= {{ buyers }}
{% endcall %},

evaluated as (

    select customer_id
    from all_buyers
    where place <= {{ buyers }}

),

-- As many places more as the customer owns products: so many popular ones are left.
reaches as (

    select
        evaluated.customer_id,
        {{ per_customer }} + count(owned.product_id) as reach
    from evaluated
    left join owned
        on evaluated.customer_id = owned.customer_id
    group by evaluated.customer_id

),
{%- for name, segment in segmentations.items() %}
{%- set n = loop.index %}

members_{{ n }} as (

    {{ segql.segment_members(segments, segment, id) | indent(4) }}

),

{% call segql.stage(stages, 'recommended_' ~ n) %}
{{ segql.recommendations(
    order_lines, segments, as_of, segment=segment, id=id, recipients='recipients',
    per_customer=per_customer, owned=owned, min_support=wanted.min_support,
    shrinkage=wanted.shrinkage, stages=stages, **options
) }}
{% endcall %},

popularity_{{ n }} as (

    select
        members_{{ n }}.segment_key,
        owned.product_id,
        row_number() over (
            partition by members_{{ n }}.segment_key
            order by count(*) desc, max(known_products.buyers) desc, owned.product_id
        ) as place
    from owned
    inner join members_{{ n }}
        on owned.customer_id = members_{{ n }}.customer_id
    inner join known_products
        on owned.product_id = known_products.product_id
    group by members_{{ n }}.segment_key, owned.product_id

),

popular_{{ n }} as (

    select
        customer_id,
        product_id
    from (
        select
            reaches.customer_id,
            popularity_{{ n }}.product_id,
            row_number() over (
                partition by reaches.customer_id
                order by popularity_{{ n }}.place
            ) as place
        from reaches
        inner join members_{{ n }}
            on reaches.customer_id = members_{{ n }}.customer_id
        inner join popularity_{{ n }}
            on
                members_{{ n }}.segment_key = popularity_{{ n }}.segment_key
                and popularity_{{ n }}.place <= reaches.reach
        {%- if not owned %}
        left join owned
            on
                reaches.customer_id = owned.customer_id
                and popularity_{{ n }}.product_id = owned.product_id
        where owned.customer_id is null
        {%- endif %}
    ) as placed
    where place <= {{ per_customer }}

),

found_{{ n }} as (

    select
        bought.customer_id,
        count(recommended_{{ n }}.product_id) as hits,
        count(popular_{{ n }}.product_id) as popular_hits
    from bought
    inner join evaluated
        on bought.customer_id = evaluated.customer_id
    left join recommended_{{ n }}
        on
            bought.customer_id = recommended_{{ n }}.customer_id
            and bought.product_id = recommended_{{ n }}.product_id
    left join popular_{{ n }}
        on
            bought.customer_id = popular_{{ n }}.customer_id
            and bought.product_id = popular_{{ n }}.product_id
    group by bought.customer_id

),
{%- endfor %}

counted as (
    {% for name in segmentations %}
    select
        {{ segql.string_literal(name) }} as segmentation,
        count(*) as buyers,
        count(case when hits > 0 then 1 end) as hit_buyers,
        cast(sum(hits) as double) as hits,
        count(case when popular_hits > 0 then 1 end) as popular_hit_buyers,
        cast(sum(popular_hits) as double) as popular_hits
    from found_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

sized as (

    select count(*) as all_buyers
    from all_buyers

)

select
    counted.segmentation,
    counted.buyers,
    sized.all_buyers,
    cast(counted.hit_buyers as double) / nullif(counted.buyers, 0) as hit_rate,
    counted.hits / nullif({{ per_customer }} * counted.buyers, 0) as precision_rate,
    cast(counted.popular_hit_buyers as double) / nullif(counted.buyers, 0) as popular_hit_rate,
    counted.popular_hits / nullif({{ per_customer }} * counted.buyers, 0) as popular_precision_rate
from counted
cross join sized
{%- endmacro %}
