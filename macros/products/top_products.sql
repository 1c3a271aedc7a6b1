{#-
    The products to name for each segment, by rank: first its distinctive ones, then the most
    bought of the others, `per_segment` of each. A segment without a distinctive product has a row
    that says so, without a product. affinity is the relation of segql.product_affinity, segments
    any relation of the segments to list.
-#}
{% macro top_products(affinity, segments, segment='segment_key', per_segment=10) -%}
    {%- do segql.number_option('top_products', 'per_segment', per_segment, lowest=1) -%}
    {%- do segql.check_columns('top_products', segments, {'segment': segment}) -%}
    {{ return(adapter.dispatch('top_products', 'segql')(affinity, segments, segment, per_segment)) }}
{%- endmacro %}

{% macro default__top_products(affinity, segments, segment, per_segment) -%}
with

affinity as (

    select * from {{ affinity }}

),

ranked as (

    select
        *,
        coalesce(distinctive_rank <= {{ per_segment }}, false) as is_listed
    from affinity

),

parts as (

    select
        *,
        row_number() over (
            partition by segment_key, is_listed
            order by case when is_listed then distinctive_rank else popularity_rank end
        ) as part_rank
    from ranked

),

segments as (

    select {{ segql.segment_key(segql.quote_identifier(segment)) }} as segment_key
    from {{ segments }}
    group by {{ segql.segment_key(segql.quote_identifier(segment)) }}

),

unmarked as (

    select segments.segment_key
    from segments
    left join affinity
        on
            segments.segment_key = affinity.segment_key
            and affinity.is_distinctive
    where affinity.segment_key is null

),

answered as (

    select
        segment_key,
        case when is_listed then 1 else 3 end as part,
        part_rank,
        case when is_listed then 'distinctive' else 'popular' end as note,
        product_id,
        product_name,
        category,
        buyers,
        segment_buyers,
        share,
        overall_share,
        index_100,
        p_value,
        q_value,
        is_distinctive
    from parts
    where part_rank <= {{ per_segment }}
    union all
    select
        segment_key,
        2 as part,
        1 as part_rank,
        'no distinctive product' as note,
        null as product_id,
        null as product_name,
        null as category,
        null as buyers,
        null as segment_buyers,
        null as share,
        null as overall_share,
        null as index_100,
        null as p_value,
        null as q_value,
        false as is_distinctive
    from unmarked

)

select
    answered.segment_key,
    cast(
        row_number() over (
            partition by answered.segment_key
            order by answered.part, answered.part_rank
        ) as integer
    ) as rank,
    answered.note,
    answered.product_id,
    answered.product_name,
    answered.category,
    answered.buyers,
    answered.segment_buyers,
    answered.share,
    answered.overall_share,
    answered.index_100,
    answered.p_value,
    answered.q_value,
    answered.is_distinctive
from answered
inner join segments
    on answered.segment_key = segments.segment_key
{%- endmacro %}
