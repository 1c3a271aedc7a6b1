{#- The refit option as a mapping; what is no policy is refused. -#}
{% macro refit_policy(refit) -%}
    {%- set what = 'segmentation ' ~ this.identifier ~ ': refit' -%}
    {%- if refit is none or refit == 'never' -%}
        {{ return({}) }}
    {%- elif refit is not mapping -%}
        {%- do exceptions.raise_compiler_error(
            what ~ " got '" ~ refit ~ "'; accepted are never, or a mapping such as"
            ~ ' {max_age_days: 90, drift: 0.25}'
        ) -%}
    {%- endif -%}
    {%- do segql.macro_options(what, {'max_age_days': none, 'min_age_days': none, 'drift': none}, refit) -%}
    {%- for key, value in refit.items() -%}
        {%- do segql.number_option(what, key, value, lowest=0, whole=(key != 'drift')) -%}
    {%- endfor -%}
    {{ return(refit) }}
{%- endmacro %}
