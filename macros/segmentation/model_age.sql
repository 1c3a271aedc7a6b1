{#-
    Days since the fit: between the as-of dates of its rows and of today's, so that a rebuilt past
    decides as it did then; without as_of_date between the fit and the start of the run.
-#}
{% macro model_age(current, input_sql) -%}
    {%- set names = segql.source_columns('(' ~ input_sql ~ ')')
        | map(attribute='name') | map('lower') | list -%}
    {%- if current['as_of_date'] is not none and 'as_of_date' in names -%}
        {%- set latest = run_query(
            'select cast(max(cast(as_of_date as date)) as string) from (' ~ input_sql
            ~ ') as segql_rows').rows[0][0] -%}
        {%- set first = current['as_of_date'] -%}
    {%- else -%}
        {%- set latest = run_started_at.strftime('%Y-%m-%d') -%}
        {%- set first = current['fitted_on'] -%}
    {%- endif -%}
    {%- if latest is none -%}{{ return(0) }}{%- endif -%}
    {%- set date = modules.datetime.date -%}
    {{ return((date.fromisoformat(latest) - date.fromisoformat(first)).days) }}
{%- endmacro %}
