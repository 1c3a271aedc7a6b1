{#-
    dbt's seeds on Spark: dbt-spark binds text without escaping it, and what is empty as 'None'. A
    project takes it with dispatch: [{macro_namespace: dbt, search_order: [its_name, segql, dbt]}].
-#}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set overrides = model['config'].get('column_types', {}) -%}
    {%- set statements = [] -%}
    {%- for chunk in agate_table.rows | batch(get_batch_size()) -%}
        {%- set rows = [] -%}
        {%- for row in chunk -%}
            {%- set cells = [] -%}
            {%- for name in agate_table.column_names -%}
                {%- set type = overrides.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
                {%- set value = row[loop.index0] -%}
                {%- do cells.append(
                    'cast(' ~ ('null' if value is none else segql.string_literal(value))
                    ~ ' as ' ~ type ~ ')'
                ) -%}
            {%- endfor -%}
            {%- do rows.append('(' ~ cells | join(', ') ~ ')') -%}
        {%- endfor -%}
        {%- set statement = 'insert into ' ~ this.render() ~ ' values\n' ~ rows | join(',\n') -%}
        {%- do adapter.add_query(statement, abridge_sql_log=True) -%}
        {%- do statements.append(statement) -%}
    {%- endfor -%}
    {{ return(statements[0] if statements else '') }}
{%- endmacro %}
