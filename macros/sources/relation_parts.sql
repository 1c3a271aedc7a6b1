{#- `a."b.c".d` as the list ['a', 'b.c', 'd']; none when it is no relation name. -#}
{% macro relation_parts(text) -%}
    {%- set pattern = '"(?:[^"]|"")+"|[^."]+' -%}
    {%- set tokens = modules.re.findall(pattern, text) -%}
    {%- if tokens | join('.') != text or tokens | length > 3 -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set parts = [] -%}
    {%- for token in tokens -%}
        {%- if token.startswith('"') -%}
            {%- do parts.append(token[1:-1] | replace('""', '"')) -%}
        {%- else -%}
            {%- do parts.append(token | trim) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(parts) }}
{%- endmacro %}
