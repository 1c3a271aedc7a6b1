{#-
    Comments on the columns of the model that its YAML does not describe, because which there are
    depends on the shop. For a post-hook; does nothing where docs are not persisted.
-#}
{% macro comment_columns() -%}
    {%- if not execute or not config.persist_column_docs() -%}{{ return('') }}{%- endif -%}
    {{ return(adapter.dispatch('comment_columns', 'segql')()) }}
{%- endmacro %}

{% macro default__comment_columns() -%}
    {%- set described = model.columns | map('lower') | list -%}
    {%- for column in adapter.get_columns_in_relation(this)
        if column.name | lower not in described -%}
        comment on column {{ this }}.{{ segql.quote_identifier(column.name) }} is
        {{ segql.string_literal(segql.column_description(column.name)) }};
    {% endfor -%}
{%- endmacro %}

{#- dbt-spark comments on columns of Delta and Iceberg tables only, and a hook is one statement. -#}
{% macro spark__comment_columns() -%}
    {{ return('') }}
{%- endmacro %}
