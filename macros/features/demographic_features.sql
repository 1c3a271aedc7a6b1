{#-
    The demographic columns of the customers, cleaned, one row per customer: blank text and
    non-finite numbers become NULL; a birth date becomes the age in whole years at the as-of
    date; a band of age, income or household size written as text becomes a number, its text
    stays as <name>_band.

    Options: known_customers (a relation of the ids that get a row; none takes those of
    customers), customer and birth_date (column names), columns (a list of names, all, or none
    for those of segql.known_demographics), bands (the columns whose text is a band).
-#}
{% macro demographic_features(customers, as_of) -%}
    {%- set options = segql.macro_options('demographic_features', {
        'known_customers': none,
        'customer': 'customer_id',
        'birth_date': 'birth_date',
        'columns': none,
        'bands': none,
    }, kwargs) -%}
    {{ return(adapter.dispatch('demographic_features', 'segql')(customers, as_of, options)) }}
{%- endmacro %}

{% macro default__demographic_features(customers, as_of, options) -%}
    {%- set customer = segql.quote_identifier(options.customer) -%}
    {%- set columns = segql.chosen_demographics(customers, options) -%}
    {%- set names = columns | map(attribute='name') | map('lower') | list -%}
    {%- set bands = options.bands -%}
    {%- if bands is none -%}
        {%- set bands = [] -%}
        {%- for name, is_band in segql.known_demographics().items() if is_band -%}
            {%- do bands.append(name) -%}
        {%- endfor -%}
    {%- endif -%}
with

known_customers as (

    {% if options.known_customers is none -%}
    select {{ customer }} as customer_id from {{ customers }}
    {%- else -%}
    select customer_id from {{ options.known_customers }}
    {%- endif %}

),

customers as (

    select * from {{ customers }}

),

as_of as (

    {{ segql.as_of_row(as_of, none, none) | indent(4) }}

),

described as (

    select
        known_customers.customer_id
        {%- for column in columns -%}
        {%- set name = segql.quote_identifier(column.name) -%}
        {%- set source = 'customers.' ~ name %},
        {% if column.name | lower == options.birth_date | lower and 'age' not in names -%}
        {%- set age = segql.whole_years(source, 'as_of.as_of_date') -%}
        case
            when cast({{ source }} as date) <= as_of.as_of_date and {{ age }} <= 130
                then {{ age }}
        end as age
        {%- elif column.kind == 'number' -%}
        case when {{ segql.is_finite(source) }} then {{ source }} end as {{ name }}
        {%- elif column.kind == 'text' and column.name | lower in bands -%}
        {{ segql.band_number(source) }} as {{ name }},
        nullif(trim(cast({{ source }} as string)), '')
            as {{ segql.quote_identifier(column.name ~ '_band') }}
        {%- elif column.kind == 'text' -%}
        nullif(trim(cast({{ source }} as string)), '') as {{ name }}
        {%- else -%}
        {{ source }} as {{ name }}
        {%- endif -%}
        {%- endfor %}
    from known_customers
    cross join as_of
    left join customers
        on known_customers.customer_id = customers.{{ customer }}

)

select * from described
{%- endmacro %}
