{#-
    The model's config as the arguments of a fit, from config(…) or, in YAML, config.meta.segql.
    An option that nobody knows is refused, and a second model of the same name.
-#}
{% macro segmentation_options() -%}
    {%- set what = 'segmentation ' ~ this.identifier -%}
    {%- set accepted = [
        'id', 'model', 'features', 'algorithm', 'k', 'pca', 'eps', 'min_samples', 'linkage', 'seed',
        'refit', 'when_too_few',
    ] -%}
    {%- set given = {} -%}
    {%- for key, value in model.config.items()
        if key not in segql.dbt_config_keys() and value is not none -%}
        {%- do given.update({key: value}) -%}
    {%- endfor -%}
    {%- set meta = (model.config.get('meta') or {}).get('segql') or {} -%}
    {%- if meta is not mapping -%}
        {%- do exceptions.raise_compiler_error(
            what ~ ": config.meta.segql got '" ~ meta ~ "'; accepted is a mapping of options"
        ) -%}
    {%- endif -%}
    {%- do given.update(meta) -%}
    {%- for key in given if key not in accepted -%}
        {%- do exceptions.raise_compiler_error(
            what ~ ": unknown option '" ~ key ~ "'; accepted are "
            ~ segql.nearest_names(key, accepted)
        ) -%}
    {%- endfor -%}
    {%- if given.get('id') is not string or not given['id'] -%}
        {%- do exceptions.raise_compiler_error(
            what ~ ": config id got '" ~ given.get('id', '') ~ "'; accepted: the name of the id "
            ~ "column, e.g. id='customer_id'"
        ) -%}
    {%- endif -%}
    {%- set options = {} -%}
    {%- for key in accepted if key != 'model' -%}
        {%- do options.update({key: given.get(key)}) -%}
    {%- endfor -%}
    {%- do segql.choice_option(
        what, 'when_too_few', options['when_too_few'] or 'fail', ['fail', 'empty']) -%}
    {%- do options.update({'name': given.get('model', this.identifier)}) -%}
    {%- do segql.check_single_model(options['name'], what) -%}
    {{ return(options) }}
{%- endmacro %}
