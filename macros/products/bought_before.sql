{#-
    A CTE `bought_before`: what each customer bought, scored by how probable the next order holds
    it. Orders of the product after its first, over the customer's orders after the first, drawn by
    two orders towards the share of the product's buyers who bought it again.
-#}
{% macro bought_before(min_support) -%}
bought_before as (

    select
        owned.customer_number,
        owned.segment_number,
        owned.product_number,
        cast(null as bigint) as lead,
        case
            when owned.orders > 1 or products.repeaters >= {{ min_support }} then 1
            else 3
        end as tier,
        (owned.orders - 1 + 2 * products.repeaters / (products.buyers + 10e0))
        / (owned.customer_orders - 1 + 2e0) as score
    from owned
    inner join products
        on owned.product_number = products.product_number

)
{%- endmacro %}
