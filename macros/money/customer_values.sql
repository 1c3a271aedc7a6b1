{#-
    What every customer is expected to do in the next period, learned from what happened after a
    past date: expected_orders, probability_to_buy and expected_revenue, with revenue_error, the
    standard error of the expected revenue. One row per customer.

    past_customers holds the customers known at the past date with their segment and RFM segment
    then, outcomes what they ordered and spent in the period after it; who is not in it did not
    buy. Customers of the same segment and RFM segment get the mean of those of then, drawn towards
    the mean of the segment as if `shrinkage` customers more behaved like it, and that towards the
    mean of everybody who had bought. basis says what it rests on, past_customers on how many:
    segment        the segment existed at the past date
    rfm segment    it did not, but the RFM segment did
    everybody      neither did
    no history     nobody was known then; the expectations are empty
    Those of the segment `prospect` have not bought yet; they are compared with each other only.

    {{ segql.customer_values(ref('rfm_segments'), ref('past_rfm_segments'), ref('next_period'),
        segment='my_segment') }}
-#}
{% macro customer_values(
    customers,
    past_customers,
    outcomes,
    segment='segment_key',
    rfm_segment='rfm_segment',
    id='customer_id',
    orders='orders',
    revenue='revenue',
    prospect='prospect',
    shrinkage=50
) -%}
    {%- set macro = 'customer_values' -%}
    {%- do segql.number_option(macro, 'shrinkage', shrinkage, lowest=1, whole=false) -%}
    {%- for relation in [customers, past_customers] -%}
        {%- do segql.check_columns(
            macro, relation, {'segment': segment, 'rfm_segment': rfm_segment, 'id': id}) -%}
    {%- endfor -%}
    {%- do segql.check_columns(
        macro, outcomes, {'id': id, 'orders': orders, 'revenue': revenue},
        {'orders': 'number', 'revenue': 'number'}) -%}
    {{ return(adapter.dispatch('customer_values', 'segql')(
        customers, past_customers, outcomes, segment, rfm_segment, id, orders, revenue, prospect,
        shrinkage)) }}
{%- endmacro %}

{% macro default__customer_values(
    customers, past_customers, outcomes, segment, rfm_segment, id, orders, revenue, prospect,
    shrinkage
) -%}
    {%- set id = segql.quote_identifier(id) -%}
    {%- set levels = {
        'past_everybody': ['is_prospect'],
        'past_rfm_segments': ['is_prospect', 'rfm_segment'],
        'past_segments': ['segment_key'],
        'past_cells': ['segment_key', 'rfm_segment'],
    } -%}
    {%- set measures = ['orders', 'buyers', 'revenue'] -%}
with

customers as (

    {{ segql.valued_customers(customers, segment, rfm_segment, id, prospect) | indent(4) }}

),

past_customers as (

    {{ segql.valued_customers(past_customers, segment, rfm_segment, id, prospect) | indent(4) }}

),

outcomes as (

    select
        {{ id }} as customer_id,
        {{ segql.quote_identifier(orders) }} as orders,
        {{ segql.exact_amount(segql.quote_identifier(revenue)) }} as revenue
    from {{ outcomes }}

),

happened as (

    select
        past_customers.segment_key,
        past_customers.rfm_segment,
        past_customers.is_prospect,
        coalesce(outcomes.orders, 0) as orders,
        case when outcomes.orders > 0 then 1 else 0 end as buyers,
        coalesce(outcomes.revenue, 0) as revenue,
        max(abs(cast(coalesce(outcomes.revenue, 0) as double))) over () as largest
    from past_customers
    left join outcomes
        on past_customers.customer_id = outcomes.customer_id

),

{% for level, keys in levels.items() -%}
{{ level }} as (

    select
        {{ keys | join(',\n        ') }},
        count(*) as customers,
        {%- for measure in measures %}
        cast(sum({{ measure }}) as double) / count(*) as {{ measure }},
        {%- endfor %}
        greatest(
            {{ segql.exact_sum(
                'cast(revenue as double) * cast(revenue as double)', 'largest * largest'
            ) | trim }} / count(*)
            - power(cast(sum(revenue) as double) / count(*), 2),
            0
        ) as variance
    from happened
    group by {{ keys | join(', ') }}

),

{% endfor -%}
cells as (

    select distinct
        segment_key,
        rfm_segment,
        is_prospect
    from customers

),

parents as (

    select
        cells.segment_key,
        cells.rfm_segment,
        past_everybody.customers as everybody,
        case
            when past_segments.customers > 0 then 'segment'
            when past_rfm_segments.customers > 0 then 'rfm segment'
            when past_everybody.customers > 0 then 'everybody'
            else 'no history'
        end as basis,
        coalesce(past_segments.customers, past_rfm_segments.customers, 0) as resting_on,
        {%- for measure in measures + ['variance'] %}
        (
            coalesce(past_segments.customers, past_rfm_segments.customers, 0)
            * coalesce(past_segments.{{ measure }}, past_rfm_segments.{{ measure }}, 0)
            + {{ shrinkage }} * past_everybody.{{ measure }}
        ) / (coalesce(past_segments.customers, past_rfm_segments.customers, 0) + {{ shrinkage }})
            as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from cells
    left join past_everybody
        on cells.is_prospect = past_everybody.is_prospect
    left join past_rfm_segments
        on
            cells.is_prospect = past_rfm_segments.is_prospect
            and cells.rfm_segment = past_rfm_segments.rfm_segment
    left join past_segments
        on cells.segment_key = past_segments.segment_key

),

expected as (

    select
        parents.segment_key,
        parents.rfm_segment,
        parents.basis,
        case
            when parents.basis = 'everybody' then parents.everybody
            else parents.resting_on
        end as past_customers,
        sqrt(parents.variance / (parents.resting_on + {{ shrinkage }})) as revenue_error,
        {%- for measure in measures %}
        (
            coalesce(past_cells.customers * past_cells.{{ measure }}, 0)
            + {{ shrinkage }} * parents.{{ measure }}
        ) / (coalesce(past_cells.customers, 0) + {{ shrinkage }}) as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from parents
    left join past_cells
        on
            parents.segment_key = past_cells.segment_key
            and parents.rfm_segment = past_cells.rfm_segment

)

select
    customers.customer_id,
    customers.segment_key,
    customers.rfm_segment,
    expected.orders as expected_orders,
    expected.buyers as probability_to_buy,
    expected.revenue as expected_revenue,
    expected.revenue_error,
    expected.past_customers,
    expected.basis
from customers
inner join expected
    on
        customers.segment_key = expected.segment_key
        and customers.rfm_segment = expected.rfm_segment
{%- endmacro %}
