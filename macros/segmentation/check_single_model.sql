{#- Two dbt models that would write the versions of one model are refused, naming both. -#}
{% macro check_single_model(name, what) -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.unique_id != model.unique_id
        and node.config.materialized == 'segmentation' -%}
        {%- set meta = (node.config.get('meta') or {}).get('segql') or {} -%}
        {%- set other = meta.get('model', node.config.get('model') or node.alias) -%}
        {%- if other | lower == name | lower -%}
            {%- do exceptions.raise_compiler_error(
                what ~ ": the model '" ~ name ~ "' is also written by " ~ node.name
                ~ '; give one of them another name, as in model=' ~ "'" ~ node.name ~ "'"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
