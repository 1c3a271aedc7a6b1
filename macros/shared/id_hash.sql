{#-
    A hash of an id, the same on every run and machine, to draw by.

    order by {{ segql.id_hash('customer_id') }}
-#}
{% macro id_hash(id) -%}
    {{ return(adapter.dispatch('id_hash', 'segql')(id)) }}
{%- endmacro %}

{% macro default__id_hash(id) -%}
    md5(cast({{ id }} as varchar))
{%- endmacro %}
