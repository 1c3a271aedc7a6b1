{#- What segments are called that no RFM segment describes, as names of the playbook. -#}
{% macro special_archetypes() -%}
    {{ return(['Prospects', 'Unusual customers', 'Not scorable']) }}
{%- endmacro %}
