{#-
    Every order line with the one reason that decides its use, two flags, and the amounts
    it counts for: gross_amount when used, net_amount also for returns (negative).

    Options are those of segql.order_line_options: the column names, and
    guests: drop (a line without customer is no customer's) or per_order (each such order is a
    customer of its own, guest-<order>);
    returns: subtract (from net_amount) or ignore;
    return_pattern, a regular expression on the order id of returns and cancellations;
    non_product_pattern, one on the whole product id of what is no product;
    drop_non_product_lines, drop_duplicate_lines: true leaves them out of the features.
-#}
{% macro order_line_reasons(order_lines, as_of=none) -%}
    {%- set options = segql.macro_options(
        'order_line_reasons', segql.order_line_options(), kwargs) -%}
    {{ return(adapter.dispatch('order_line_reasons', 'segql')(order_lines, as_of, options)) }}
{%- endmacro %}

{% macro default__order_line_reasons(order_lines, as_of, options, flag_duplicates=true) -%}
    {%- set macro = 'order_line_reasons' -%}
    {%- do segql.choice_option(macro, 'guests', options.guests, ['drop', 'per_order']) -%}
    {%- do segql.choice_option(macro, 'returns', options.returns, ['subtract', 'ignore']) -%}
    {%- do segql.flag_option(
        macro, 'drop_duplicate_lines', options.drop_duplicate_lines) -%}
    {%- do segql.flag_option(
        macro, 'drop_non_product_lines', options.drop_non_product_lines) -%}
    {%- set column = {} -%}
    {%- for key in ['customer', 'order', 'timestamp', 'product', 'quantity', 'price', 'row_hash'] -%}
        {%- if options[key] is not none -%}
            {%- do column.update({key: 'order_lines.' ~ segql.quote_identifier(options[key])}) -%}
        {%- elif key in ['customer', 'timestamp', 'price'] -%}
            {%- do exceptions.raise_compiler_error(
                macro ~ ': ' ~ key ~ ' got none; accepted is the name of a column'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set names = {} -%}
    {%- for key in column -%}
        {%- do names.update({key: options[key]}) -%}
    {%- endfor -%}
    {%- do segql.check_columns(macro, order_lines, names, kinds={
        'timestamp': 'timestamp', 'quantity': 'number', 'price': 'number'
    }) -%}
    {%- set order_id = 'cast(' ~ column.timestamp ~ ' as string)' -%}
    {%- if 'order' in column -%}
        {%- set order_id = 'coalesce(cast(' ~ column.order ~ ' as string), ' ~ order_id ~ ')' -%}
    {%- endif -%}
    {%- set customer_id = segql.order_customer(column.customer, order_id, options.guests) -%}
    {%- set product_id = column.get('product', 'cast(null as string)') -%}
    {%- set quantity = column.get('quantity', '1') -%}
with

order_lines as (

    select * from {{ order_lines }}

),

as_of as (

    {{ segql.as_of_row(as_of, 'order_lines', column.timestamp, options.load_date) | indent(4) }}

),

described as (

    select
        {{ customer_id }} as customer_id,
        {{ order_id }} as order_id,
        cast({{ column.timestamp }} as date) as ordered_on,
        {{ product_id }} as product_id,
        {{ quantity }} as quantity,
        {{ column.price }} as unit_price,
        {{ segql.exact_amount(quantity ~ ' * ' ~ column.price) }} as amount,
        {{ quantity }} < 0
        {%- if 'order' in column %}
        or {{ segql.matches_pattern('cast(' ~ column.order ~ ' as string)', options.return_pattern) }}
        {%- endif %} as is_return,
        {% if flag_duplicates -%}
        row_number() over (
            partition by {{ segql.duplicate_key(column) }}
            order by {{ column.timestamp }}
        ) > 1 as is_duplicate,
        {%- else -%}
        false as is_duplicate,
        {%- endif %}
        {{ segql.matches_pattern(
            'cast(' ~ product_id ~ ' as string)', options.non_product_pattern, full=true) }}
            as is_non_product,
        cast({{ column.timestamp }} as date) > as_of.last_date as is_after_load
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
            {%- if options.drop_duplicate_lines %}
            when is_duplicate then 'duplicate line, dropped'
            {%- endif %}
            {%- if options.drop_non_product_lines %}
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
        {%- if options.returns == 'subtract' %}
        when
            reason = 'cancellation or return'
            and unit_price > 0
            and not is_after_load
            {%- if options.drop_duplicate_lines %}
            and not is_duplicate
            {%- endif %}
            {%- if options.drop_non_product_lines %}
            and not is_non_product
            {%- endif %}
            then -abs(amount)
        {%- endif %}
        else 0
    end as net_amount
from reasoned
{%- endmacro %}
