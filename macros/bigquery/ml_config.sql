{#- The options of a model, where dbt_ml looks for them: meta.ml_config, or config ml_config. -#}
{% macro ml_config() -%}
    {%- set meta = model.config.get('meta') or {} -%}
    {%- set options = meta.get('ml_config') or model.config.get('ml_config') -%}
    {%- if options is not mapping -%}
        {%- do exceptions.raise_compiler_error(
            "model " ~ this.identifier ~ ": ml_config got '" ~ options
            ~ "'; accepted is a mapping of BigQuery ML's options, e.g. {'model_type': 'kmeans'}"
        ) -%}
    {%- endif -%}
    {{ return(options) }}
{%- endmacro %}
