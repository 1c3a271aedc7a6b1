{% macro segmentation_options() %}
  {#- The model's config as the arguments of a fit; what fit does not know is left to dbt. -#}
  {%- if config.get('id') is none -%}
    {{ exceptions.raise_compiler_error(
      "segmentation " ~ this.identifier ~ ": config id is missing; accepted: the name of the id "
      ~ "column, e.g. id='customer_id'"
    ) }}
  {%- endif -%}
  {{ return({
    'id': config.get('id'),
    'name': config.get('model', this.identifier),
    'features': config.get('features'),
    'algorithm': config.get('algorithm'),
    'k': config.get('k'),
    'pca': config.get('pca'),
    'seed': config.get('seed')
  }) }}
{% endmacro %}
