{#-
    When to write to a segment, from the days between its own customers' orders: one row per
    segment with its intervals, the median and 75th percentile in days (the smallest length that
    so many of the intervals do not exceed), and contact_after_days, that percentile, or that of
    all customers where the segment has fewer than `min_intervals`; timing_basis says which.
    customers_due counts those whose last order lies that far back; recency is that column of
    features.

    {{ segql.segment_timing(ref('intervals'), ref('rfm_segments'), ref('features'),
        segment='rfm_segment') }}
-#}
{% macro segment_timing(
    intervals,
    segments,
    features,
    segment='segment_key',
    id='customer_id',
    recency='recency',
    min_intervals=20
) -%}
    {{ return(adapter.dispatch('segment_timing', 'segql')(
        intervals, segments, features, segment, id, recency, min_intervals)) }}
{%- endmacro %}

{% macro default__segment_timing(
    intervals, segments, features, segment, id, recency, min_intervals
) -%}
    {%- set macro = 'segment_timing' -%}
    {%- do segql.number_option(macro, 'min_intervals', min_intervals, lowest=1) -%}
    {%- do segql.check_columns(macro, segments, {'segment': segment, 'id': id}) -%}
    {%- do segql.check_columns(macro, features, {'recency': recency, 'id': id}) -%}
with

intervals as (

    select * from {{ intervals }}

),

members as (

    {{ segql.segment_members(segments, segment, id) | indent(4) }}

),

features as (

    select
        {{ segql.quote_identifier(id) }} as customer_id,
        {{ segql.quote_identifier(recency) }} as recency
    from {{ features }}

),

counted as (

    select
        members.segment_key,
        intervals.interval_days,
        sum(intervals.intervals) as intervals
    from intervals
    inner join members
        on intervals.customer_id = members.customer_id
    group by members.segment_key, intervals.interval_days
    union all
    select
        cast(null as string) as segment_key,
        interval_days,
        sum(intervals) as intervals
    from intervals
    group by interval_days

),

cumulated as (

    select
        segment_key,
        interval_days,
        sum(intervals) over (
            partition by segment_key
            order by interval_days
        ) as up_to,
        sum(intervals) over (partition by segment_key) as intervals
    from counted

),

quartiles as (

    select
        segment_key,
        cast(max(intervals) as bigint) as intervals,
        min(case when 2 * up_to >= intervals then interval_days end) as median_interval_days,
        min(case when 4 * up_to >= 3 * intervals then interval_days end) as p75_interval_days
    from cumulated
    group by segment_key

),

everybody as (

    select * from quartiles
    where segment_key is null

),

segments as (

    select
        segment_key,
        count(*) as customers
    from members
    group by segment_key

),

timed as (

    select
        segments.segment_key,
        segments.customers,
        coalesce(quartiles.intervals, 0) as intervals,
        quartiles.median_interval_days,
        quartiles.p75_interval_days,
        case
            when quartiles.intervals >= {{ min_intervals }} then quartiles.p75_interval_days
            else everybody.p75_interval_days
        end as contact_after_days,
        case
            when quartiles.intervals >= {{ min_intervals }} then 'segment'
            when everybody.intervals > 0 then 'all customers'
            else 'none'
        end as timing_basis
    from segments
    left join quartiles
        on segments.segment_key = quartiles.segment_key
    left join everybody
        on true

),

due as (

    select
        timed.segment_key,
        count(*) as customers
    from timed
    inner join members
        on timed.segment_key = members.segment_key
    inner join features
        on members.customer_id = features.customer_id
    where features.recency >= timed.contact_after_days
    group by timed.segment_key

)

select
    timed.segment_key,
    timed.customers,
    timed.intervals,
    timed.median_interval_days,
    timed.p75_interval_days,
    timed.contact_after_days,
    timed.timing_basis,
    coalesce(due.customers, 0) as customers_due
from timed
left join due
    on timed.segment_key = due.segment_key
{%- endmacro %}
