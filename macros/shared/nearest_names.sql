{#- Names joined for a message, the likeliest meant first, at most thirty. -#}
{% macro nearest_names(wanted, names) -%}
    {{ return(adapter.dispatch('nearest_names', 'segql')(wanted, names)) }}
{%- endmacro %}

{% macro default__nearest_names(wanted, names) -%}
    {{ return(names[:30] | join(', ')) }}
{%- endmacro %}

{% macro duckdb__nearest_names(wanted, names) -%}
    {%- if not names -%}{{ return('none') }}{%- endif -%}
    {%- set rows = [] -%}
    {%- for name in names -%}
        {%- do rows.append('(' ~ segql.string_literal(name) ~ ', ' ~ loop.index ~ ')') -%}
    {%- endfor -%}
    {%- set query -%}
        select name
        from (values {{ rows | join(', ') }}) as names (name, place)
        order by damerau_levenshtein(lower(name), lower({{ segql.string_literal(wanted) }})), place
        limit 30
    {%- endset -%}
    {%- set more = ', …' if names | length > 30 else '' -%}
    {{ return(run_query(query).columns[0].values() | join(', ') ~ more) }}
{%- endmacro %}
