{#- Options given to a macro on top of their defaults; an unknown one is refused, nearest first. -#}
{% macro macro_options(macro, defaults, given) -%}
    {%- for name in given if name not in defaults -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": unknown option '" ~ name ~ "'; accepted are "
            ~ (segql.nearest_names(name, defaults | list) if execute else defaults | join(', '))
        ) -%}
    {%- endfor -%}
    {%- set options = {} -%}
    {%- do options.update(defaults) -%}
    {%- do options.update(given) -%}
    {{ return(options) }}
{%- endmacro %}
