{#- The date that a var holds, as a SQL literal; none when it is not set. -#}
{% macro date_option(name) -%}
    {%- set value = var(name, none) -%}
    {%- if value is none or value | string | trim == '' -%}{{ return(none) }}{%- endif -%}
    {%- set text = (value | string | trim)[:10] -%}
    {%- set parts = modules.re.findall('^([0-9]{4})-([0-9]{2})-([0-9]{2})$', text) -%}
    {%- if not parts or not 1 <= parts[0][1] | int <= 12 or not 1 <= parts[0][2] | int <= 31 -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ": '" ~ value ~ "' is no date; write it as 2025-12-31"
        ) -%}
    {%- endif -%}
    {{ return("cast('" ~ text ~ "' as date)") }}
{%- endmacro %}
