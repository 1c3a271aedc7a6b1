with

backtest_measures as (

    select * from {{ ref('backtest_measures') }}

),

compared as (

    select
        backtest_measures.*,
        ours.segments as our_segments,
        ours.eta_squared as our_eta_squared,
        ours.eta_squared_log as our_eta_squared_log,
        ours.buyers as our_buyers,
        ours.hit_rate as our_hit_rate,
        rfm.segments as rfm_segments,
        rfm.eta_squared as rfm_eta_squared,
        rfm.eta_squared_log as rfm_eta_squared_log,
        rfm.popular_hit_rate as rfm_popular_hit_rate,
        everybody.popular_hit_rate as everybody_popular_hit_rate
    from backtest_measures
    inner join backtest_measures as ours
        on ours.segmentation = 'segments'
    inner join backtest_measures as rfm
        on rfm.segmentation = 'rfm_quintiles'
    inner join backtest_measures as everybody
        on everybody.segmentation = 'everybody'

)

select
    segmentation,
    status,
    past_date,
    next_until,
    horizon_days,
    past_days,
    customers,
    segments,
    next_revenue,
    eta_squared,
    eta_squared_log,
    top_revenue_share,
    lift,
    gini,
    customer_gini,
    buyers,
    all_buyers,
    hit_rate as hit_rate_at_10,
    precision_rate as precision_at_10,
    popular_hit_rate as popular_hit_rate_at_10,
    popular_precision_rate as popular_precision_at_10,
    model_version,
    {{ segql.backtest_verdict() | indent(4) }} as verdict
from compared
order by place
