{#-
    The plain rule of each segment of a model's current version, one row per segment: what it
    says, its SQL, and how much of the segment it covers, how precisely, counted when the model
    was fitted. Without a model, or one of an older registry, no row.

    {{ segql.segment_rules('customers') }}
-#}
{% macro segment_rules(model) -%}
    {{ return(adapter.dispatch('segment_rules', 'segql')(model)) }}
{%- endmacro %}

{% macro default__segment_rules(model) -%}
    {%- if execute and segql.registry_has('rules') -%}
select
    rules.segment_key,
    rules.rule,
    rules.condition as rule_sql,
    rules.conditions,
    rules.coverage,
    rules.{{ segql.quote_identifier('precision') }}
from segql.rules as rules
inner join segql.models as models
    on
        rules.model_name = models.model_name
        and rules.model_version = models.model_version
where models.is_current and models.model_name = {{ segql.string_literal(model) }}
    {%- else -%}
select
    cast(null as string) as segment_key,
    cast(null as string) as rule,
    cast(null as string) as rule_sql,
    cast(null as integer) as conditions,
    cast(null as double) as coverage,
    cast(null as double) as {{ segql.quote_identifier('precision') }}
where false
    {%- endif -%}
{%- endmacro %}
