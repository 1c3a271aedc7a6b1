{#- The condition under which a row lies in a stored bin of a feature. -#}
{% macro bin_condition(bin) -%}
    {%- set column = segql.quote_identifier(bin.feature) -%}
    {%- set text = 'cast(' ~ column ~ ' as string)' -%}
    {%- set levels = [] -%}
    {%- for level in bin.levels or [] -%}
        {%- do levels.append(segql.string_literal(level)) -%}
    {%- endfor -%}
    {%- if bin.kind == 'category' -%}
        {{ return(text ~ ' = ' ~ segql.string_literal(bin.category)) }}
    {%- elif bin.kind == 'other' -%}
        {{ return(text ~ ' not in (' ~ (levels | join(', ') or "''") ~ ')') }}
    {%- elif bin.levels is not none -%}
        {{ return(column ~ ' is null') }}
    {%- endif -%}
    {%- set number = 'cast(' ~ column ~ ' as double)' -%}
    {%- set usable = number ~ ' between -1e100 and 1e100' -%}
    {%- if bin.kind == 'missing' -%}
        {{ return('(' ~ usable ~ ') is not true') }}
    {%- endif -%}
    {%- set conditions = [usable] -%}
    {%- if bin.lower is not none -%}
        {%- do conditions.append(number ~ " > cast('" ~ bin.lower ~ "' as double)") -%}
    {%- endif -%}
    {%- if bin.upper is not none -%}
        {%- do conditions.append(number ~ " <= cast('" ~ bin.upper ~ "' as double)") -%}
    {%- endif -%}
    {{ return(conditions | join(' and ')) }}
{%- endmacro %}
