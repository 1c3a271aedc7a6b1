{#-
    A customer's id as text, or with the var hash_customer_ids its SHA-256 with the salt before it:
    what follows from the staging models then holds no id of the sources.
-#}
{% macro customer_id_expression(column, type) -%}
    {%- set id = segql.id_expression(column, type) -%}
    {%- if not segql.flag_option('vars', 'hash_customer_ids', var('hash_customer_ids', false)) -%}
        {{ return(id) }}
    {%- endif -%}
    {%- set salt = var('id_salt', none) -%}
    {%- if salt is not string or salt | length < 16 -%}
        {%- do exceptions.raise_compiler_error(
            'vars: hash_customer_ids is true, but id_salt is '
            ~ ('missing' if salt is none else 'no text of at least 16 characters')
            ~ '; accepted is a secret text of at least 16 characters: ids alone are easily guessed'
        ) -%}
    {%- endif -%}
    {{ return(segql.hashed_text(segql.string_literal(salt) ~ ' || (' ~ id ~ ')')) }}
{%- endmacro %}
