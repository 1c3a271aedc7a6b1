{%- set columns = {
    'segments': 'segment_key',
    'rfm_quintiles': 'rfm_group',
    'rfm_segments': 'rfm_segment',
    'everybody': 'everybody'
} -%}
with

past_as_of as (

    select * from {{ ref('past_as_of') }}

),

backtest_hits as (

    select * from {{ ref('backtest_hits') }}

),

measures as (

    {{ segql.backtest(ref('backtest_outcomes'), columns) | indent(4) }}

),

model_versions as (

    select max(model_version) as model_version
    from {{ ref('backtest_outcomes') }}

)

select
    measures.segmentation,
    measures.place,
    case
        when not past_as_of.has_history then 'too little history'
        when measures.segments is null then 'no segments'
        -- Of returns alone only the plain measure says something.
        when measures.eta_squared is null or measures.eta_squared_log is null
            then 'nothing to explain'
        when max(case when measures.place = 1 then measures.segments end) over () = 1
            then 'one segment'
        else 'measured'
    end as status,
    past_as_of.as_of_date as past_date,
    past_as_of.next_until,
    past_as_of.horizon_days,
    past_as_of.past_days + 1 as past_days,
    measures.customers,
    measures.segments,
    measures.next_revenue,
    measures.eta_squared,
    measures.eta_squared_log,
    measures.top_revenue_share,
    measures.lift,
    measures.gini,
    measures.customer_gini,
    backtest_hits.buyers,
    backtest_hits.all_buyers,
    backtest_hits.hit_rate,
    backtest_hits.precision_rate,
    backtest_hits.popular_hit_rate,
    backtest_hits.popular_precision_rate,
    model_versions.model_version
from measures
cross join past_as_of
cross join model_versions
left join backtest_hits
    on measures.segmentation = backtest_hits.segmentation
