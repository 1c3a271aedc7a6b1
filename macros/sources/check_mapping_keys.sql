{#- A misspelled key of a mapping is refused by name. -#}
{% macro check_mapping_keys(name, given, defaults) -%}
    {%- set known = ['relation'] + defaults.options -%}
    {%- for key, _ in defaults.required + defaults.optional -%}
        {%- do known.append(key) -%}
    {%- endfor -%}
    {%- for key in given if key not in known -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ": unknown key '" ~ key ~ "' in the var; known are "
            ~ segql.nearest_names(key, known)
        ) -%}
    {%- endfor -%}
{%- endmacro %}
