{#- An option that is true or false; text such as 'no' is refused rather than taken for true. -#}
{% macro flag_option(macro, name, value) -%}
    {%- if value is not boolean -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ': ' ~ name ~ " got '" ~ value ~ "'; accepted are true and false"
        ) -%}
    {%- endif -%}
    {{ return(value) }}
{%- endmacro %}
