{#- A date as a SQL literal; what is no date is refused by the name of its option. -#}
{% macro date_literal(name, value) -%}
    {%- set text = (value | string | trim)[:10] -%}
    {%- set parts = modules.re.findall('^([0-9]{4})-([0-9]{2})-([0-9]{2})$', text) -%}
    {%- set day = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] -%}
    {%- if not parts or not 1 <= parts[0][1] | int <= 12
        or not 1 <= parts[0][2] | int <= day[parts[0][1] | int - 1] -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ": '" ~ value ~ "' is no date; write it as 2025-12-31"
        ) -%}
    {%- endif -%}
    {{ return("cast('" ~ text ~ "' as date)") }}
{%- endmacro %}
