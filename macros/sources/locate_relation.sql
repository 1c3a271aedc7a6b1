{#- Where a mapped relation is read from: {from, is_file, path}; none when it does not exist. -#}
{% macro locate_relation(text) -%}
    {{ return(adapter.dispatch('locate_relation', 'segql')(text)) }}
{%- endmacro %}

{% macro default__locate_relation(text) -%}
    {%- set parts = segql.relation_parts(text) -%}
    {%- if parts is none -%}{{ return(none) }}{%- endif -%}
    {%- set found = adapter.get_relation(
        database=parts[-3] if parts | length == 3 else target.database,
        schema=parts[-2] if parts | length > 1 else target.schema,
        identifier=parts[-1]
    ) -%}
    {{ return({'from': found | string, 'is_file': false} if found else none) }}
{%- endmacro %}

{% macro duckdb__locate_relation(text) -%}
    {%- set parts = segql.relation_parts(text) -%}
    {%- if parts is not none -%}
        {%- set schema = segql.string_literal(parts[-2] if parts | length > 1 else '') -%}
        {%- set query -%}
            select table_catalog, table_schema, table_name
            from information_schema.tables
            where
                lower(table_name) = lower({{ segql.string_literal(parts[-1]) }})
                and (
                    {%- if parts | length == 3 %}
                    lower(table_catalog) = lower({{ segql.string_literal(parts[0]) }})
                    and lower(table_schema) = lower({{ schema }})
                    {%- elif parts | length == 2 %}
                    (table_catalog = current_database() and lower(table_schema) = lower({{ schema }}))
                    or (lower(table_catalog) = lower({{ schema }}) and table_schema = 'main')
                    {%- else %}
                    table_catalog = current_database() and table_schema = current_schema()
                    {%- endif %}
                )
            order by table_catalog = current_database() desc
            limit 1
        {%- endset -%}
        {%- set rows = run_query(query).rows -%}
        {%- if rows | length > 0 -%}
            {%- set quoted = [] -%}
            {%- for part in rows[0] -%}
                {%- do quoted.append(segql.quote_identifier(part)) -%}
            {%- endfor -%}
            {{ return({'from': quoted | join('.'), 'is_file': false}) }}
        {%- endif -%}
    {%- endif -%}
    {%- if segql.is_file(text) -%}
        {%- set path = segql.string_literal(text) -%}
        {%- if run_query('select 1 from glob(' ~ path ~ ') limit 1').rows | length > 0 -%}
            {%- set reader = 'read_parquet(' ~ path ~ ')' if '.parquet' in text | lower
                else 'read_csv(' ~ path ~ ', sample_size=-1)' -%}
            {{ return({'from': reader, 'is_file': true, 'path': path}) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}
