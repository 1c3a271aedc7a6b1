{#-
    A band written as text, as one number: 35-44 becomes 39.5, 50-74K 62000; an open band is its
    bound (65+ becomes 65, Under 15K 15000); NULL without a digit.
-#}
{% macro band_number(column) -%}
    {{ return(adapter.dispatch('band_number', 'segql')(column)) }}
{%- endmacro %}

{% macro default__band_number(column) -%}
    {%- do exceptions.raise_compiler_error(
        'band_number: bands are not read on ' ~ target.type ~ '; map a column of numbers'
    ) -%}
{%- endmacro %}

{% macro duckdb__band_number(column) -%}
    {%- set text = "regexp_replace(lower(cast(" ~ column ~ " as string)), '[, ](\\d{3})', '\\1', 'g')" -%}
    {%- set numbers = "list_transform(regexp_extract_all(" ~ text
        ~ ", '\\d+(?:\\.\\d+)?'), lambda part: cast(part as double))" -%}
    case
        when len({{ numbers }}) > 0 then
            list_avg(list_slice({{ numbers }}, 1, 2))
            * case
                when regexp_matches({{ text }}, '\d *(k|thousand)\b') then 1000e0
                when regexp_matches({{ text }}, '\d *(m|million)\b') then 1000000e0
                else 1e0
            end
    end
{%- endmacro %}

{% macro spark__band_number(column) -%}
    {%- set text = "regexp_replace(lower(cast(" ~ column ~ " as string)), '[, ]([0-9]{3})', '$1')" -%}
    {%- set numbers = "transform(slice(regexp_extract_all(" ~ text
        ~ ", '[0-9]+(?:[.][0-9]+)?', 0), 1, 2), part -> cast(part as double))" -%}
    case
        when size({{ numbers }}) > 0 then
            aggregate({{ numbers }}, 0e0, (summed, part) -> summed + part) / size({{ numbers }})
            * case
                when {{ text }} rlike '[0-9] *(k|thousand)([^a-z0-9_]|$)' then 1000e0
                when {{ text }} rlike '[0-9] *(m|million)([^a-z0-9_]|$)' then 1000000e0
                else 1e0
            end
    end
{%- endmacro %}
