{#-
    The demographic columns of the customers, cleaned: blank text and non-finite numbers
    become NULL, a birth_date becomes an age in whole years. One row per known customer.
-#}
{% macro demographic_features(known_customers, customers, as_of) -%}
    {%- set columns = segql.relation_columns(customers, except=['customer_id']) -%}
    {%- set names = columns | map(attribute='name') | map('lower') | list -%}
with

known_customers as (

    select * from {{ known_customers }}

),

customers as (

    select * from {{ customers }}

),

as_of as (

    select * from {{ as_of }}

),

described as (

    select
        known_customers.customer_id
        {%- for column in columns -%}
        {%- set name = segql.quote_identifier(column.name) -%}
        {%- set source = 'customers.' ~ name %},
        {% if column.kind == 'number' -%}
        case when {{ segql.is_finite(source) }} then {{ source }} end as {{ name }}
        {%- elif column.kind == 'text' -%}
        nullif(trim(cast({{ source }} as varchar)), '') as {{ name }}
        {%- elif column.name | lower == 'birth_date' and 'age' not in names -%}
        {{ segql.whole_years(source, 'as_of.as_of_date') }} as age
        {%- else -%}
        {{ source }} as {{ name }}
        {%- endif -%}
        {%- endfor %}
    from known_customers
    cross join as_of
    left join customers
        on known_customers.customer_id = customers.customer_id

)

select * from described
{%- endmacro %}
