{#-
    The relation of a segmentation: the id, the prediction columns, the model version and the date
    that the features are as of (an as_of_date column of the input, else null).
-#}
{% macro scored_query(input_sql, score_sql, model_version, id, columns) -%}
    {{ return(adapter.dispatch('scored_query', 'segql')(
        input_sql, score_sql, model_version, id, columns)) }}
{%- endmacro %}

{% macro default__scored_query(input_sql, score_sql, model_version, id, columns) %}
with segql_input as (

    select * from (
        {{ input_sql }}
    ) as segql_rows

),

segql_scored as (

    {{ score_sql }}

)

select
    {{ adapter.quote(id) }},
    segment_id,
    segment_key,
    distance,
    next_segment_id,
    confidence,
    cast({{ model_version }} as integer) as model_version,
    {% if 'as_of_date' in columns | map('lower') | list -%}
    cast(as_of_date as date) as as_of_date
    {%- else -%}
    cast(null as date) as as_of_date
    {%- endif %}
from segql_scored
{% endmacro %}

{#-
    On Spark the stored query carries as_of_date, which the input then must have, and not each
    column: Spark has no way to leave columns out by a condition.
-#}
{% macro spark__scored_query(input_sql, score_sql, model_version, id, columns) %}
with

segql_input as (

    select
        *
        {%- if 'as_of_date' not in columns | map('lower') | list %},
        cast(null as date) as as_of_date
        {%- endif %}
    from (
        {{ input_sql }}
    ) as segql_rows

),

segql_scored as (

    {{ score_sql }}

)

select
    {{ segql.quote_identifier(id) }},
    segment_id,
    segment_key,
    distance,
    next_segment_id,
    confidence,
    cast({{ model_version }} as integer) as model_version,
    cast(as_of_date as date) as as_of_date
from segql_scored
{% endmacro %}
