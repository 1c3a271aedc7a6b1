{#- The vars that say how customers are segmented, as config of the model and of its backtest. -#}
{% macro segmentation_vars() -%}
    {{ return({
        'id': 'customer_id',
        'algorithm': 'kmeans',
        'k': var('k'),
        'pca': var('pca'),
        'features': var('segmentation_features'),
    }) }}
{%- endmacro %}
