{#-
    The rows of a query or relation scored by a frozen model, as plain SQL without the plugin: the
    id, the prediction columns, model_version and as_of_date. The expression is read from the
    registry when the statement is compiled. A bare name is a CTE of the statement around it, with
    as_of_date among its columns.

    {{ segql.predict('customers', ref('new_customers')) }}
-#}
{% macro predict(model, relation, id='customer_id') -%}
    {{ return(adapter.dispatch('predict', 'segql')(model, relation, id)) }}
{%- endmacro %}

{% macro default__predict(model, relation, id) -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set current = segql.current_model(model) -%}
    {%- if current is none -%}
        {%- do exceptions.raise_compiler_error(
            "predict: there is no fitted model '" ~ model ~ "'; there are "
            ~ (segql.nearest_names(model, segql.model_names()) if segql.has_registry() else 'none')
        ) -%}
    {%- endif -%}
    {%- set query = 'select * from ' ~ relation -%}
    {%- set names = ['as_of_date'] -%}
    {%- if relation is not string or not modules.re.match('^\w+$', relation) -%}
        {%- do segql.check_features(model, current['model_version'], query, id, 'predict') -%}
        {%- set names = segql.relation_columns(relation) | map(attribute='name') | list -%}
    {%- endif -%}
    {{ return(segql.scored_query(
        query, current['score_sql'], current['model_version'], id, names)) }}
{%- endmacro %}
