{#-
    Every order line with the one reason that decides its use, two flags, and the amounts
    it counts for: gross_amount when used, net_amount also for returns (negative).
-#}
{% macro order_line_reasons(
    order_lines,
    as_of,
    return_pattern='',
    non_product_pattern='',
    drop_duplicate_lines=false,
    drop_non_product_lines=false
) -%}
with

order_lines as (

    select * from {{ order_lines }}

),

as_of as (

    select * from {{ as_of }}

),

described as (

    select
        order_lines.customer_id,
        coalesce(order_lines.order_id, cast(order_lines.ordered_at as varchar)) as order_id,
        cast(order_lines.ordered_at as date) as ordered_on,
        order_lines.product_id,
        order_lines.quantity,
        order_lines.unit_price,
        {{ segql.exact_amount('order_lines.quantity * order_lines.unit_price') }} as amount,
        order_lines.quantity < 0
        or {{ segql.matches_pattern('order_lines.order_id', return_pattern) }} as is_return,
        row_number() over (
            partition by order_lines.source_row_hash, order_lines.ordered_at
            order by order_lines.source_row_hash
        ) > 1 as is_duplicate,
        {{ segql.matches_pattern('order_lines.product_id', non_product_pattern, full=true) }}
            as is_non_product,
        cast(order_lines.ordered_at as date)
        > least(as_of.as_of_date, cast(as_of.loaded_at as date)) as is_after_load
    from order_lines
    cross join as_of

),

reasoned as (

    select
        *,
        case
            when customer_id is null then 'no customer'
            when ordered_on is null or quantity is null or quantity = 0
                then 'no date or quantity'
            when is_return then 'cancellation or return'
            when unit_price is null or unit_price <= 0 then 'price not positive'
            when is_after_load then 'order after the load date'
            {%- if drop_duplicate_lines %}
            when is_duplicate then 'duplicate line, dropped'
            {%- endif %}
            {%- if drop_non_product_lines %}
            when is_non_product then 'non-product code, dropped'
            {%- endif %}
            else 'used'
        end as reason
    from described

)

select
    customer_id,
    order_id,
    ordered_on,
    product_id,
    quantity,
    unit_price,
    amount,
    reason,
    is_duplicate,
    is_non_product,
    case when reason = 'used' then amount else 0 end as gross_amount,
    case
        when reason = 'used' then amount
        when
            reason = 'cancellation or return'
            and unit_price > 0
            and not is_after_load
            {%- if drop_duplicate_lines %}
            and not is_duplicate
            {%- endif %}
            {%- if drop_non_product_lines %}
            and not is_non_product
            {%- endif %}
            then -abs(amount)
        else 0
    end as net_amount
from reasoned
{%- endmacro %}
