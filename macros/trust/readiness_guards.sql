{#-
    Whether there is enough to segment by recency, frequency and monetary: Klaviyo's guards (500
    buyers, 180 days of history, an order in the last 30 days, some customers with three or more
    orders), and no more than 90 % one-time buyers. One row a guard: kind, name, value, bound,
    is_met, reason.

    {{ segql.readiness_guards(ref('customer_features')) }}
-#}
{% macro readiness_guards(
    features, frequency='frequency', recency='recency', tenure='tenure',
    least_buyers=500, least_history_days=180, most_days_since_order=30, least_repeat_share=0.1
) -%}
    {%- set orders = segql.quote_identifier(frequency) -%}
with

features as (

    select * from {{ features }}

),

counted as (

    select
        count(*) as buyers,
        max({{ segql.quote_identifier(tenure) }}) as history_days,
        min({{ segql.quote_identifier(recency) }}) as days_since_order,
        count(case when {{ orders }} >= 3 then 1 end) as loyal,
        cast(count(case when {{ orders }} > 1 then 1 end) as double)
        / nullif(count({{ orders }}), 0) as repeat_share
    from features

),

checks as (

    {{ segql.readiness_row(
        'guard', 'buyers', 'buyers', least_buyers,
        'buyers >= ' ~ least_buyers,
        'Customers with an order; of fewer, segments are largely chance.', 'counted') }}
    union all
    {{ segql.readiness_row(
        'guard', 'history days', 'history_days', least_history_days,
        'coalesce(history_days >= ' ~ least_history_days ~ ', false)',
        'Days from the first order to the as-of date; recency and frequency need half a year.',
        'counted') }}
    union all
    {{ segql.readiness_row(
        'guard', 'days since the last order', 'days_since_order', most_days_since_order,
        'coalesce(days_since_order <= ' ~ most_days_since_order ~ ', false)',
        'Days from the last order of anybody to the as-of date; more means stale data.',
        'counted') }}
    union all
    {{ segql.readiness_row(
        'guard', 'customers with three or more orders', 'loyal', 1, 'loyal >= 1',
        'Without such customers frequency tells nobody apart.', 'counted') }}
    union all
    {{ segql.readiness_row(
        'guard', 'repeat share', 'repeat_share', least_repeat_share,
        'coalesce(repeat_share >= ' ~ least_repeat_share ~ ', false)',
        'Share of the buyers with more than one order; below, RFM says little.', 'counted') }}

)

select * from checks
{%- endmacro %}
