{#-
    The columns that a model's current version learned from, with each one's relevance (its share
    of the variance between segments in the model's space). Without a model no row.

    {{ segql.clustered_columns('customers') }}
-#}
{% macro clustered_columns(model) -%}
    {{ return(adapter.dispatch('clustered_columns', 'segql')(model)) }}
{%- endmacro %}

{% macro default__clustered_columns(model) -%}
    {%- if execute and segql.has_registry() -%}
select
    features.input as feature,
    sum(features.relevance) as relevance
from segql.feature_info as features
inner join segql.models as models
    on
        features.model_name = models.model_name
        and features.model_version = models.model_version
where
    features.used
    and models.is_current
    and models.model_name = {{ segql.string_literal(model) }}
group by features.input
    {%- else -%}
select
    cast(null as string) as feature,
    cast(null as double) as relevance
where false
    {%- endif -%}
{%- endmacro %}
