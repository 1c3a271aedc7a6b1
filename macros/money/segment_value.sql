{#-
    What each segment is expected to bring in the next period: one row per segment of the
    relation of segql.customer_values. The order value is revenue over orders; the interval of the
    revenue is a normal 95 % interval of the mean, as far as the past customers tell. basis and
    past_customers are those of most of the customers.

    {{ segql.segment_value(ref('customer_values')) }}
-#}
{% macro segment_value(values) -%}
    {%- do segql.check_columns('segment_value', values, {
        'values': 'expected_revenue', 'value': 'probability_to_buy', 'error': 'revenue_error',
    }) -%}
    {{ return(adapter.dispatch('segment_value', 'segql')(values)) }}
{%- endmacro %}

{% macro default__segment_value(values) -%}
    {%- set z = '1.959963984540054e0' -%}
with

cells as (

    select
        segment_key,
        rfm_segment,
        basis,
        past_customers,
        expected_orders,
        probability_to_buy,
        expected_revenue,
        revenue_error,
        count(*) as customers
    from {{ values }}
    group by
        segment_key,
        rfm_segment,
        basis,
        past_customers,
        expected_orders,
        probability_to_buy,
        expected_revenue,
        revenue_error

),

bases as (

    select
        segment_key,
        basis,
        -- Each RFM segment rests on past customers of its own, the others on the same.
        case
            when basis = 'rfm segment' then sum(past_customers)
            else max(past_customers)
        end as past_customers,
        row_number() over (
            partition by segment_key
            order by sum(customers) desc, basis
        ) as place
    from cells
    group by segment_key, basis

),

summed as (

    select
        segment_key,
        sum(customers) as customers,
        {%- for measure in [
            'expected_orders', 'probability_to_buy', 'expected_revenue', 'revenue_error'
        ] %}
        cast(sum(cast(customers * {{ measure }} as decimal(38, 9))) as double) as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from cells
    group by segment_key

)

select
    summed.segment_key,
    cast(summed.customers as bigint) as customers,
    summed.probability_to_buy / summed.customers as probability_to_buy,
    summed.expected_orders / summed.customers as expected_orders,
    summed.expected_revenue / nullif(summed.expected_orders, 0) as average_order_value,
    summed.expected_revenue,
    case
        when summed.expected_revenue is not null
            then
                greatest(
                    summed.expected_revenue - {{ z }} * summed.revenue_error,
                    least(summed.expected_revenue, 0)
                )
    end as expected_revenue_low,
    summed.expected_revenue + {{ z }} * summed.revenue_error as expected_revenue_high,
    cast(bases.past_customers as bigint) as past_customers,
    bases.basis
from summed
inner join bases
    on summed.segment_key = bases.segment_key
where bases.place = 1
{%- endmacro %}
