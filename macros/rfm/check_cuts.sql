{#- Cut points as given: four rising numbers, or none when they are to be learned. -#}
{% macro check_cuts(name, cuts) -%}
    {%- if cuts is none -%}{{ return(none) }}{%- endif -%}
    {%- set fine = [] -%}
    {%- if cuts is sequence and cuts is not string and cuts | length == 4 -%}
        {%- for cut in cuts if cut is number and cut is not boolean -%}
            {%- if loop.index == 1 or cut > cuts[loop.index - 2] -%}
                {%- do fine.append(cut) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if fine | length != 4 -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ': four rising numbers are expected, such as [1, 2, 3, 5], not ' ~ cuts
        ) -%}
    {%- endif -%}
    {{ return(cuts) }}
{%- endmacro %}
