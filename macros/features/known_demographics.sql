{#- Demographic columns that are taken by their name: {name: whether a band is read as a number}. -#}
{% macro known_demographics() -%}
    {{ return({
        'age': true,
        'birth_date': false,
        'gender': false,
        'sex': false,
        'income': true,
        'region': false,
        'country': false,
        'state': false,
        'education': false,
        'occupation': false,
        'marital_status': false,
        'home_ownership': false,
        'household_size': true,
        'household_comp': false,
        'kids_count': true,
        'children': true,
    }) }}
{%- endmacro %}
