{#-
    How many order lines each reason decided, and how many bear a flag. The reasons are
    exclusive and sum to the lines read; flags (is_flag) stand outside that sum.
-#}
{% macro data_quality(order_line_reasons, source='order_lines') -%}
    {%- set reasons = [
        ('no customer', true), ('no date or quantity', false), ('cancellation or return', true),
        ('price not positive', true), ('order after the load date', true),
        ('duplicate line, dropped', false), ('non-product code, dropped', false), ('used', true),
    ] -%}
    {%- set flags = [('duplicate line', 'is_duplicate'), ('non-product code', 'is_non_product')] -%}
with

order_lines as (

    select
        reason,
        is_duplicate,
        is_non_product,
        count(*) as order_lines,
        sum(amount) as amount
    from {{ order_line_reasons }}
    group by reason, is_duplicate, is_non_product

),

counted as (
    {% for reason, _ in reasons %}
    {%- set applies = 'reason = ' ~ segql.string_literal(reason) %}
    {{ segql.quality_row(source, reason, applies, false, loop.index) }}
    union all
    {%- endfor %}
    {%- for flag, column in flags %}
    {{ segql.quality_row(source, flag, column, true, reasons | length + loop.index) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    source,
    reason,
    is_flag,
    order_lines,
    amount
from counted
where
    order_lines > 0
    or is_flag
    {%- for reason, always in reasons if always %}
    or reason = {{ segql.string_literal(reason) }}
    {%- endfor %}
order by place
{%- endmacro %}
