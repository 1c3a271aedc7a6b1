{#- Repeated ids are refused: which one, how often, how many. Rows without id are counted. -#}
{% macro check_unique_ids(source, key) -%}
    {%- set expression = segql.customer_id_expression if key == 'customer'
        else segql.id_expression -%}
    {%- set id = expression(segql.quote_identifier(source.names[key]), source.types[key]) -%}
    {%- set query -%}
        select
            id,
            id_rows,
            count(*) over () as repeated_ids
        from (
            select {{ id }} as id, count(*) as id_rows
            from {{ source.from }}
            group by 1
        ) as ids
        where id is not null and id_rows > 1
        order by id_rows desc, id
        limit 1
    {%- endset -%}
    {%- set unnamed = run_query(
        'select count(*) from ' ~ source.from ~ ' where ' ~ id ~ ' is null').rows[0][0] | int -%}
    {%- if unnamed > 0 -%}
        {%- do log(
            'segql: ' ~ unnamed ~ ' rows of ' ~ source.text ~ ' have no ' ~ key
            ~ ' id and are left out',
            info=true
        ) -%}
    {%- endif -%}
    {%- set rows = run_query(query).rows -%}
    {%- if rows | length > 0 -%}
        {%- do exceptions.raise_compiler_error(
            source.name ~ ': the ' ~ key ~ " id '" ~ rows[0][0] ~ "' stands in " ~ (rows[0][1] | int)
            ~ ' rows of ' ~ source.text ~ ' (column ' ~ source.names[key] ~ '), '
            ~ (rows[0][2] | int) ~ ' ids are repeated; one row per ' ~ key ~ ' is expected'
        ) -%}
    {%- endif -%}
{%- endmacro %}
