{#- Ends an error about a missing relation: the relations that exist, nearest first. -#}
{% macro known_relations(text) -%}
    {{ return(adapter.dispatch('known_relations', 'segql')(text)) }}
{%- endmacro %}

{% macro default__known_relations(text) -%}
    {{ return('map an existing one in the var') }}
{%- endmacro %}

{% macro duckdb__known_relations(text) -%}
    {%- set query -%}
        select
            case when table_catalog = current_database() then '' else table_catalog || '.' end
            || table_schema || '.' || table_name
        from information_schema.tables
        where table_schema not in ('staging', 'features', 'segmentation', 'marts', 'segql')
        order by 1
    {%- endset -%}
    {%- set names = run_query(query).columns[0].values() | list -%}
    {{ return('relations are ' ~ segql.nearest_names(text, names) if names else 'there are no relations') }}
{%- endmacro %}
