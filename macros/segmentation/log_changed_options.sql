{#- Says that the config differs from what the frozen model was fitted with. -#}
{% macro log_changed_options(options, fitted) -%}
    {%- set changed = [] -%}
    {%- for key in ['id', 'features', 'algorithm', 'k', 'pca', 'eps', 'min_samples', 'linkage',
                    'seed'] -%}
        {%- set wanted = options[key] -%}
        {#- Only what belongs to the algorithm is stored. -#}
        {%- if wanted is not none and key in fitted
            and tojson(wanted, sort_keys=true) != tojson(fitted[key], sort_keys=true) -%}
            {%- do changed.append(key) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if changed -%}
        {%- do log(
            'segql: ' ~ options['name'] ~ ': ' ~ changed | join(', ') ~ ' changed since the fit;'
            ~ ' the frozen model is used until --full-refresh',
            info=true
        ) -%}
    {%- endif -%}
{%- endmacro %}
