{#-
    dbt's function resources on DuckDB: a scalar macro, which persists in the file and works from
    any client. A project takes it with
    dispatch: [{macro_namespace: dbt, search_order: [its_name, segql, dbt]}].
-#}
{% macro duckdb__scalar_function_sql(target_relation) -%}
    {%- set arguments = [] -%}
    {%- for argument in model.arguments -%}
        {%- set default = argument.default_value | default('', true) | string -%}
        {%- do arguments.append(
            segql.quote_identifier(argument.name) ~ ' ' ~ argument.data_type
            ~ (' := ' ~ default if default else '')
        ) -%}
    {%- endfor -%}
    create or replace macro {{ target_relation.render() }}({{ arguments | join(', ') }}) as (
        cast((
            {{ model.compiled_code }}
        ) as {{ model.returns.data_type }})
    )
{%- endmacro %}
