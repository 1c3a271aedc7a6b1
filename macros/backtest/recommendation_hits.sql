{#-
    How often customers bought what they were recommended. Recommendations of the date `as_of` by
    segql.recommendations, `per_customer` of them, are looked up in what the same customers bought
    after it, until `until`; beside them the products that were bought most in the customer's
    segment, as many. Counted are customers who bought a product that they did not own (any product
    with owned=true), among products that somebody had bought before; of more than `buyers` such
    customers that many are drawn by a hash of their id. One row: buyers, all_buyers, hit_rate (the
    share with at least one hit), precision_rate (hits per recommendation), popular_hit_rate and
    popular_precision_rate. With a segment column that is the same for all, popular is global popularity.

    The other options are those of segql.recommendations.

    {{ segql.recommendation_hits(
        ref('invoices'), ref('past_segments'), '2025-09-30', '2025-12-31') }}
-#}
{% macro recommendation_hits(
    order_lines,
    segments,
    as_of,
    until,
    segment='segment_key',
    id='customer_id',
    per_customer=10,
    buyers=2000,
    owned=false,
    min_support=5,
    shrinkage=50
) -%}
    {%- set macro = 'recommendation_hits' -%}
    {%- set options = segql.macro_options(macro, segql.product_options(), kwargs) -%}
    {%- do segql.number_option(macro, 'per_customer', per_customer, lowest=1) -%}
    {%- do segql.number_option(macro, 'buyers', buyers, lowest=1) -%}
    {%- do segql.flag_option(macro, 'owned', owned) -%}
    {%- do segql.check_columns(macro, segments, {'segment': segment, 'id': id}) -%}
    {%- do options.update({'products': none}) -%}
    {{ return(adapter.dispatch('recommendation_hits', 'segql')(
        order_lines, segments, as_of, until, segment, id, per_customer, buyers, owned,
        min_support, shrinkage, options)) }}
{%- endmacro %}

{% macro default__recommendation_hits(
    order_lines, segments, as_of, until, segment, id, per_customer, buyers, owned, min_support,
    shrinkage, options
) -%}
with

members as (

    {{ segql.segment_members(segments, segment, id) | indent(4) }}

),

owned as (

    {{ segql.segment_purchases(order_lines, segments, as_of, segment, id, options) | indent(4) }}

),

later as (

    {{ segql.segment_purchases(order_lines, segments, until, segment, id, options) | indent(4) }}

),

known_products as (

    select
        product_id,
        count(*) as buyers
    from owned
    group by product_id

),

past_date as (

    {{ segql.as_of_row(
        as_of, order_lines, segql.quote_identifier(options.timestamp), options.load_date
    ) | indent(4) }}

),

-- What was bought in the period, of products that could be recommended.
bought as (

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

),

all_buyers as (

    select
        customer_id,
        row_number() over (order by {{ segql.id_hash('customer_id') }}, customer_id) as place
    from bought
    group by customer_id

),

evaluated as (

    select
        members.customer_id,
        members.segment_key
    from all_buyers
    inner join members
        on all_buyers.customer_id = members.customer_id
    where all_buyers.place <= {{ buyers }}

),

recipients as (

    select customer_id as {{ segql.quote_identifier(id) }} from evaluated

),

recommended as (

    {{ segql.recommendations(
        order_lines, segments, as_of, segment=segment, id=id, per_customer=per_customer,
        owned=owned, min_support=min_support, shrinkage=shrinkage,
        recipients='recipients', **options
    ) | indent(4) }}

),

segment_buyers as (

    select
        segment_key,
        product_id,
        count(*) as buyers
    from owned
    group by segment_key, product_id

),

popularity as (

    select
        segment_buyers.segment_key,
        segment_buyers.product_id,
        row_number() over (
            partition by segment_buyers.segment_key
            order by
                segment_buyers.buyers desc,
                known_products.buyers desc,
                segment_buyers.product_id
        ) as place
    from segment_buyers
    inner join known_products
        on segment_buyers.product_id = known_products.product_id

),

{% if owned -%}
popular as (

    select
        evaluated.customer_id,
        popularity.product_id
    from evaluated
    inner join popularity
        on evaluated.segment_key = popularity.segment_key
    where popularity.place <= {{ per_customer }}

),

{% else -%}
-- As many more as the customer owns: so many are left.
reaches as (

    select
        evaluated.customer_id,
        evaluated.segment_key,
        {{ per_customer }} + count(owned.product_id) as reach
    from evaluated
    left join owned
        on evaluated.customer_id = owned.customer_id
    group by evaluated.customer_id, evaluated.segment_key

),

lacking as (

    select
        reaches.customer_id,
        popularity.product_id,
        row_number() over (
            partition by reaches.customer_id
            order by popularity.place
        ) as place
    from reaches
    inner join popularity
        on
            reaches.segment_key = popularity.segment_key
            and popularity.place <= reaches.reach
    left join owned
        on
            reaches.customer_id = owned.customer_id
            and popularity.product_id = owned.product_id
    where owned.customer_id is null

),

popular as (

    select
        customer_id,
        product_id
    from lacking
    where place <= {{ per_customer }}

),

{% endif -%}
found as (

    select
        evaluated.customer_id,
        count(recommended.product_id) as hits,
        count(popular.product_id) as popular_hits
    from evaluated
    inner join bought
        on evaluated.customer_id = bought.customer_id
    left join recommended
        on
            bought.customer_id = recommended.customer_id
            and bought.product_id = recommended.product_id
    left join popular
        on
            bought.customer_id = popular.customer_id
            and bought.product_id = popular.product_id
    group by evaluated.customer_id

),

counted as (

    select
        count(*) as buyers,
        count(case when hits > 0 then 1 end) as hit_buyers,
        cast(sum(hits) as double) as hits,
        count(case when popular_hits > 0 then 1 end) as popular_hit_buyers,
        cast(sum(popular_hits) as double) as popular_hits
    from found

),

sized as (

    select count(*) as all_buyers
    from all_buyers

)

select
    counted.buyers,
    sized.all_buyers,
    cast(counted.hit_buyers as double) / nullif(counted.buyers, 0) as hit_rate,
    counted.hits / nullif({{ per_customer }} * counted.buyers, 0) as precision_rate,
    cast(counted.popular_hit_buyers as double) / nullif(counted.buyers, 0) as popular_hit_rate,
    counted.popular_hits / nullif({{ per_customer }} * counted.buyers, 0) as popular_precision_rate
from counted
cross join sized
{%- endmacro %}
