{#-
    A frozen model as one scalar expression over its features, for the body of a function
    resource: output is segment_key or segment_id. Features that are no arguments of the function
    are NULL there, as the recipe imputes them, and that is said.
-#}
{% macro segment_expression(segmentation, output='segment_key') -%}
    {{ return(adapter.dispatch('segment_expression', 'segql')(segmentation, output)) }}
{%- endmacro %}

{% macro default__segment_expression(segmentation, output) -%}
    {%- if not execute -%}{{ return('null') }}{%- endif -%}
    {%- set what = 'segment_expression' -%}
    {%- do segql.choice_option(what, 'output', output, ['segment_key', 'segment_id']) -%}
    {%- set current = segql.current_model(segmentation) -%}
    {%- if current is none -%}
        {%- do exceptions.raise_compiler_error(
            what ~ ": there is no fitted model '" ~ segmentation ~ "'; run its segmentation first"
        ) -%}
    {%- endif -%}
    {%- set column = 'segment_key_sql' if output == 'segment_key' else 'segment_sql' -%}
    {%- set chosen = ' where model_version = ' ~ current['model_version'] ~ ' and model_name = '
        ~ segql.string_literal(segmentation) -%}
    {%- set expression = run_query(
        'select ' ~ column ~ ' from segql.models' ~ chosen).rows[0][0] -%}
    {%- if expression is none -%}
        {%- do exceptions.raise_compiler_error(
            what ~ ": model '" ~ segmentation ~ "' was fitted before its expression was stored;"
            ~ ' refit it with --full-refresh'
        ) -%}
    {%- endif -%}
    {%- set given = model.arguments | map(attribute='name') | map('lower') | list -%}
    {%- set features = run_query(
        'select input, kind from segql.feature_info' ~ chosen ~ ' and used order by 1').rows -%}
    {%- set inputs = [] -%}
    {%- set absent = [] -%}
    {%- for feature, kind in features -%}
        {%- set name = segql.quote_identifier(feature) -%}
        {%- if feature | lower not in given -%}
            {%- set type = {'number': 'double', 'boolean': 'boolean'}.get(kind, 'string') -%}
            {%- do inputs.append('cast(null as ' ~ type ~ ') as ' ~ name) -%}
            {%- do absent.append(feature) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not absent -%}
        {{ return(expression) }}
    {%- endif -%}
    {%- do log(
        'segql: function ' ~ model.name ~ ' has no argument for ' ~ absent | join(', ')
        ~ ", features of model '" ~ segmentation ~ "': they are NULL there",
        info=true
    ) -%}
    {{ return('select ' ~ expression ~ ' from (select ' ~ inputs | join(', ') ~ ') as inputs') }}
{%- endmacro %}
