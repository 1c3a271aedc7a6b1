{% macro has_registry() %}
  {#- Whether any model was ever fitted in this database. -#}
  {{ return(segql.registry_has('models')) }}
{% endmacro %}
