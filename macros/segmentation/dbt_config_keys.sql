{#- Config keys that belong to dbt and its adapters, not to a segmentation. -#}
{% macro dbt_config_keys() -%}
    {{ return([
        'access', 'alias', 'batch_size', 'begin', 'column_types', 'concurrent_batches', 'contract',
        'database', 'delimiter', 'docs', 'enabled', 'event_time', 'freshness', 'full_refresh',
        'grants', 'group', 'incremental_predicates', 'incremental_strategy', 'indexes', 'lookback',
        'materialized', 'meta', 'on_configuration_change', 'on_schema_change', 'packages',
        'persist_docs', 'post-hook', 'post_hook', 'pre-hook', 'pre_hook', 'quoting', 'schema',
        'sql_header', 'static_analysis', 'submission_method', 'sync', 'tags', 'unique_key',
    ]) }}
{%- endmacro %}
