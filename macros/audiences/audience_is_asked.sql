{#- Whether a segment is one of those named: by its key, or by its name where no key is called so. -#}
{% macro audience_is_asked(only) -%}
    {%- set names = [] -%}
    {%- for name in only -%}
        {%- do names.append(segql.string_literal(name)) -%}
    {%- endfor -%}
        segment_key in ({{ names | join(', ') if names else 'null' }})
        {%- for name in names %}
        or (
            segment_name = {{ name }}
            and {{ name }} not in (select segment_key from segment_sizes)
        )
        {%- endfor %}
{%- endmacro %}
