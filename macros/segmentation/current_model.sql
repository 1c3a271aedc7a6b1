{#- Version, scoring query, options and dates of the frozen model; none before the first fit. -#}
{% macro current_model(name) -%}
    {%- if not segql.has_registry() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set dated = segql.registry_has('models', 'as_of_date') -%}
    {%- set rows = run_query(
        'select model_version, score_sql, options, cast(cast(fitted_at as date) as string), '
        ~ ('cast(as_of_date as string)' if dated else 'null')
        ~ ' from segql.models where is_current and model_name = ' ~ segql.string_literal(name)
    ).rows -%}
    {%- if rows | length == 0 -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return({
        'model_version': rows[0][0] | int,
        'score_sql': rows[0][1],
        'options': fromjson(rows[0][2]),
        'fitted_on': rows[0][3] | string,
        'as_of_date': rows[0][4] | string if rows[0][4] is not none else none,
    }) }}
{%- endmacro %}
