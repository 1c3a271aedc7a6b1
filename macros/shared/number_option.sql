{#- An option that is a number, whole unless said otherwise, not below a limit or above one. -#}
{% macro number_option(macro, name, value, lowest=0, whole=true, highest=none) -%}
    {#- Not a number and infinity are no whole numbers, which Jinja cannot be asked. -#}
    {%- set fits = value is number and value is not boolean and lowest <= value < 1e300
        and (not whole or value == value | int) and (highest is none or value <= highest) -%}
    {%- if not fits -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ': ' ~ name ~ " got '" ~ value ~ "'; accepted is a "
            ~ ('whole ' if whole else '') ~ 'number from ' ~ lowest
            ~ (' to ' ~ highest if highest is not none else '')
        ) -%}
    {%- endif -%}
    {{ return(value) }}
{%- endmacro %}
