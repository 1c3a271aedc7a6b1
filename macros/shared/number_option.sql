{#- An option that is a number, whole unless said otherwise, not below a limit. -#}
{% macro number_option(macro, name, value, lowest=0, whole=true) -%}
    {%- set fits = value is number and value is not boolean and value >= lowest
        and (not whole or value == value | int) -%}
    {%- if not fits -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ': ' ~ name ~ " got '" ~ value ~ "'; accepted is a "
            ~ ('whole ' if whole else '') ~ 'number from ' ~ lowest
        ) -%}
    {%- endif -%}
    {{ return(value) }}
{%- endmacro %}
