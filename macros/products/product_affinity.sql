{#-
    Which products a segment buys more than others: one row per segment and product bought in it,
    counted in distinct buyers. index_100 is the segment's share of buyers over everybody's,
    shrunk towards 100 as if `shrinkage` average customers more were in the segment.

    A product is distinctive when its index is above 100, its q_value at most `fdr`, and at least
    `min_buyers` customers of the segment bought it. The p-value asks how probable so many buyers in the segment are if the
    product's buyers were drawn blindly among customers who bought equally many products: a segment
    that buys more of everything has no distinctive product for that. Benjamini-Hochberg over all
    tests, those of products and segments with at least `min_buyers` buyers; no distinctive product
    is an answer.

    segments is any relation with a segment column; the other options are those of
    segql.product_options and segql.order_line_options.

    {{ segql.product_affinity(ref('invoices'), ref('rfm_segments'), segment='rfm_segment') }}
-#}
{% macro product_affinity(
    order_lines,
    segments,
    as_of=none,
    segment='segment_key',
    id='customer_id',
    min_buyers=20,
    shrinkage=50,
    fdr=0.05
) -%}
    {%- set options = segql.macro_options('product_affinity', segql.product_options(), kwargs) -%}
    {{ return(adapter.dispatch('product_affinity', 'segql')(
        order_lines, segments, as_of, segment, id, min_buyers, shrinkage, fdr, options)) }}
{%- endmacro %}

{% macro default__product_affinity(
    order_lines, segments, as_of, segment, id, min_buyers, shrinkage, fdr, options
) -%}
    {%- set macro = 'product_affinity' -%}
    {%- do segql.number_option(macro, 'min_buyers', min_buyers, lowest=1) -%}
    {%- do segql.number_option(macro, 'shrinkage', shrinkage, whole=false) -%}
    {%- do segql.number_option(macro, 'fdr', fdr, whole=false, highest=1) -%}
    {%- do segql.check_products(macro, order_lines, segments, segment, id, options) -%}
with

purchases as (

    {{ segql.segment_purchases(order_lines, segments, as_of, segment, id, options) | indent(4) }}

),

names as (

    {{ segql.product_names('purchases', options) | indent(4) }}

),

customers as (

    select
        customer_id,
        segment_key,
        count(*) as products
    from purchases
    group by customer_id, segment_key

),

breadths as (

    select
        products,
        count(*) as customers
    from customers
    group by products

),

-- Customers who bought about equally many products: at least {{ segql.stratum_size() }} each.
strata as (

    select
        products,
        cast(
            floor((sum(customers) over (order by products) - customers) / {{ segql.stratum_size() }})
            as bigint
        ) as stratum
    from breadths

),

placed as (

    select
        customers.customer_id,
        customers.segment_key,
        strata.stratum
    from customers
    inner join strata
        on customers.products = strata.products

),

stratum_segments as (

    select
        stratum,
        segment_key,
        count(*) as buyers
    from placed
    group by stratum, segment_key

),

stratum_sizes as (

    select
        stratum,
        sum(buyers) as buyers
    from stratum_segments
    group by stratum

),

segment_sizes as (

    select
        segment_key,
        sum(buyers) as buyers
    from stratum_segments
    group by segment_key

),

total as (

    select cast(sum(buyers) as bigint) as buyers
    from segment_sizes

),

stratum_products as (

    select
        placed.stratum,
        placed.segment_key,
        purchases.product_id,
        count(*) as buyers
    from purchases
    inner join placed
        on purchases.customer_id = placed.customer_id
    group by placed.stratum, placed.segment_key, purchases.product_id

),

product_buyers as (

    select
        product_id,
        stratum,
        sum(buyers) as buyers
    from stratum_products
    group by product_id, stratum

),

product_sizes as (

    select
        product_id,
        cast(sum(buyers) as bigint) as buyers
    from product_buyers
    group by product_id

),

expected as (

    select
        product_buyers.product_id,
        stratum_segments.segment_key,
        sum(
            cast(
                1e0 * product_buyers.buyers * stratum_segments.buyers / stratum_sizes.buyers
                as decimal(38, 9)
            )
        ) as buyers
    from product_buyers
    inner join stratum_segments
        on product_buyers.stratum = stratum_segments.stratum
    inner join stratum_sizes
        on product_buyers.stratum = stratum_sizes.stratum
    group by product_buyers.product_id, stratum_segments.segment_key

),

observed as (

    select
        product_id,
        segment_key,
        sum(buyers) as buyers
    from stratum_products
    group by product_id, segment_key

),

compared as (

    select
        expected.segment_key,
        expected.product_id,
        cast(coalesce(observed.buyers, 0) as bigint) as buyers,
        cast(segment_sizes.buyers as bigint) as segment_buyers,
        product_sizes.buyers as overall_buyers,
        total.buyers as all_buyers,
        cast(expected.buyers as double) as expected_buyers,
        -- The segment as large as equally broad baskets make it, in customers.
        greatest(
            cast(
                ceil(
                    cast(expected.buyers as double) * total.buyers / product_sizes.buyers - 1e-3
                ) as bigint
            ),
            cast(coalesce(observed.buyers, 0) as bigint)
        ) as marked
    from expected
    inner join segment_sizes
        on expected.segment_key = segment_sizes.segment_key
    inner join product_sizes
        on expected.product_id = product_sizes.product_id
    left join observed
        on
            expected.segment_key = observed.segment_key
            and expected.product_id = observed.product_id
    cross join total

),

tested as (

    select
        segment_key,
        product_id,
        {{ segql.hypergeometric_tail('buyers', 'all_buyers', 'marked', 'overall_buyers')
            | indent(8) }} as p_value
    from compared
    where
        buyers > 0
        and overall_buyers >= {{ min_buyers }}
        and segment_buyers >= {{ min_buyers }}

),

-- A product without a buyer in the segment is tested too, with a p-value of 1.
tests as (

    select
        (
            select count(*)
            from product_sizes
            where buyers >= {{ min_buyers }}
        ) * (
            select count(*)
            from segment_sizes
            where buyers >= {{ min_buyers }}
        ) as tests

),

placed_tests as (

    select
        tested.segment_key,
        tested.product_id,
        tested.p_value,
        tests.tests,
        row_number() over (
            order by tested.p_value, tested.segment_key, tested.product_id
        ) as place
    from tested
    cross join tests

),

adjusted as (

    select
        segment_key,
        product_id,
        p_value,
        least(
            1,
            min(p_value * tests / place) over (
                order by place desc
                rows between unbounded preceding and current row
            )
        ) as q_value
    from placed_tests

),

judged as (

    select
        compared.segment_key,
        compared.product_id,
        compared.buyers,
        compared.segment_buyers,
        cast(compared.buyers as double) / compared.segment_buyers as share,
        compared.overall_buyers,
        cast(compared.overall_buyers as double) / compared.all_buyers as overall_share,
        compared.expected_buyers,
        100e0
        * (
            compared.buyers
            + {{ shrinkage }} * cast(compared.overall_buyers as double) / compared.all_buyers
        )
        / (compared.segment_buyers + {{ shrinkage }})
        / (cast(compared.overall_buyers as double) / compared.all_buyers) as index_100,
        adjusted.p_value,
        adjusted.q_value,
        coalesce(
            adjusted.q_value <= {{ fdr }}
            and compared.buyers >= {{ min_buyers }}
            and compared.buyers > compared.expected_buyers
            and 1e0 * compared.buyers * compared.all_buyers
            > 1e0 * compared.segment_buyers * compared.overall_buyers,
            false
        ) as is_distinctive,
        row_number() over (
            partition by compared.segment_key
            order by compared.buyers desc, compared.overall_buyers desc, compared.product_id
        ) as popularity_rank
    from compared
    left join adjusted
        on
            compared.segment_key = adjusted.segment_key
            and compared.product_id = adjusted.product_id
    where compared.buyers > 0

)

select
    judged.segment_key,
    judged.product_id,
    names.product_name,
    names.category,
    judged.buyers,
    judged.segment_buyers,
    judged.share,
    judged.overall_buyers,
    judged.overall_share,
    judged.expected_buyers,
    judged.index_100,
    judged.p_value,
    judged.q_value,
    judged.is_distinctive,
    case
        when judged.is_distinctive
            then
                row_number() over (
                    partition by judged.segment_key, judged.is_distinctive
                    order by judged.index_100 desc, judged.q_value, judged.product_id
                )
    end as distinctive_rank,
    judged.popularity_rank
from judged
inner join names
    on judged.product_id = names.product_id
{%- endmacro %}
