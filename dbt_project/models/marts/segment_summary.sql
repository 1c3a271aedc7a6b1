with

summary as (

    {{ segql.segment_summary(
        ref('customer_segments'),
        ref('customer_features'),
        name='segment_name'
    ) | indent(4) }}

),

trust_by_segment as (

    select * from {{ ref('trust_by_segment') }}

),

segment_rules as (

    select * from {{ ref('segment_rules') }}

),

joined as (

    select
        summary.segment_key,
        summary.segment_name,
        summary.customers,
        summary.share,
        summary.orders,
        summary.revenue,
        summary.revenue_share,
        summary.average_order_value,
        summary.days_since_last_order,
        segment_rules.rule,
        segment_rules.coverage as rule_coverage,
        segment_rules.precision as rule_precision,
        coalesce(trust_by_segment.verdict, 'not measured') as trust
    from summary
    left join segment_rules
        on summary.segment_key = segment_rules.segment_key
    left join trust_by_segment
        on summary.segment_key = trust_by_segment.segment_key

)

select * from joined
order by customers desc, segment_key asc
