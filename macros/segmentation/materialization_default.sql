{#- An adapter without an implementation is told so in one sentence. -#}
{% materialization segmentation, default %}
  {{ exceptions.raise_compiler_error(
    "materialized='segmentation' is not implemented for adapter " ~ adapter.type()
    ~ ": fit on duckdb and score the exported SQL here"
  ) }}
{% endmaterialization %}
