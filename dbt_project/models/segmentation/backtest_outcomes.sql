with

backtest_segments as (

    select * from {{ ref('backtest_segments') }}

),

next_period as (

    select * from {{ ref('next_period') }}

),

segment_count as (

    select count(distinct {{ segql.segment_key('segment_key') }}) as segments
    from backtest_segments

),

past_cuts as (

    {{ segql.learned_rfm_cuts(ref('past_customer_features')) | indent(4) }}

),

scores as (

    {{ segql.rfm_scores(ref('past_customer_features'), 'past_cuts') | indent(4) }}

),

rfm_groups as (

    {{ segql.rfm_groups('scores', '(select segments from segment_count)') | indent(4) }}

),

rfm_segments as (

    {{ segql.rfm_segment('rfm_groups', rfm_map_var()) | indent(4) }}

)

select
    backtest_segments.customer_id,
    {{ segql.segment_key('backtest_segments.segment_key') }} as segment_key,
    rfm_segments.rfm_group,
    rfm_segments.rfm_segment,
    'everybody' as everybody,
    rfm_segments.monetary,
    coalesce(next_period.revenue, 0) as next_revenue,
    backtest_segments.model_version
from backtest_segments
inner join rfm_segments
    on backtest_segments.customer_id = rfm_segments.customer_id
left join next_period
    on backtest_segments.customer_id = next_period.customer_id
