{#- Says once that an optional source is missing. -#}
{% macro log_absence(what, quiet=false) -%}
    {%- if not quiet -%}
        {%- do log('segql: ' ~ what ~ ', so its features are left out', info=true) -%}
    {%- endif -%}
{%- endmacro %}
