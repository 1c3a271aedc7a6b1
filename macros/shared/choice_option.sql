{#- An option that takes one of a few words. -#}
{% macro choice_option(macro, name, value, accepted) -%}
    {%- if value not in accepted -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ': ' ~ name ~ " got '" ~ value ~ "'; accepted are " ~ accepted | join(', ')
        ) -%}
    {%- endif -%}
    {{ return(value) }}
{%- endmacro %}
