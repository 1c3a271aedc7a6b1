{#- CTE of segql.audience: a message for each reason not to give an audience at all. -#}
{% macro audience_refusals(segments, id, options) -%}
    {%- set where = segql.string_literal(' in ' ~ segments) -%}
    {%- set column = segql.string_literal('audience: id ' ~ id) -%}
repeated as (

    select
        id_text,
        count(*) as id_rows
    from members
    where id_text is not null
    group by id_text
    having count(*) > 1

),

refusals as (

    select {{ column }} || ' is empty in ' || count(*) || ' rows' || {{ where }} || '; one id a row is expected' as message
    from members
    where coalesce(trim(id_text), '') = ''
    having count(*) > 0
    union all
    select
        {{ column }} || ' has ' || count(*) || ' repeated values, such as ''' || min(id_text) || ''''
        || {{ where }}
        || '{{ ' or in ' ~ options.features | string | replace("'", "''") if options.features is not none }}; one row per customer is expected'
        as message
    from repeated
    having count(*) > 0
    union all
    select
        {{ column }} || ' holds e-mail addresses; accepted is a column of keys, or a hash'
        as message
    from members
    where id_text like '%_@_%'
    having count(*) > 0
    {%- for name in options.only or [] %}
    {%- set named = segql.string_literal(name) %}
    union all
    select 'audience: there is no segment ' || {{ segql.string_literal("'" ~ name ~ "'") }}
        || ' (only)' || {{ where }} as message
    from asked
    where segment_key = {{ named }} or segment_name = {{ named }}
    having count(*) = 0
    {%- endfor %}
    {%- if options.only is not none %}
    union all
    select 'audience: segment ''' || segment_key || ''' has ' || reason as message
    from decisions
    where reason is not null
    {%- endif %}

)
{%- endmacro %}
