{#- The vars that say how customers are segmented, as config of the model and of its backtest. -#}
{% macro segmentation_vars() -%}
    {{ return({
        'id': 'customer_id',
        'algorithm': 'kmeans',
        'k': config_var('k'),
        'pca': config_var('pca'),
        'features': config_var('segmentation_features'),
    }) }}
{%- endmacro %}
