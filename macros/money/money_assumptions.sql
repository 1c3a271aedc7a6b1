{#-
    What is assumed of a segment, by name: the accepted values as numbers and as words, and the
    default of what may be left out.
-#}
{% macro money_assumptions() -%}
    {{ return({
        'margin': {
            'accepted': 'between 0 and 1', 'said': 'a number from 0 to 1'},
        'uplift': {
            'accepted': 'between -1 and 1', 'said': 'a number from -1 to 1'},
        'contact_cost': {
            'accepted': 'between 1e-6 and 1e12', 'said': 'a number above 0'},
        'offer_cost': {
            'accepted': 'between 0 and 1e12', 'said': 'a number from 0'},
        'saturation': {
            'accepted': 'between 0.01 and 0.99', 'said': 'a number from 0.01 to 0.99'},
        'probability_to_buy': {
            'accepted': 'between 0 and 1', 'said': 'a number from 0 to 1'},
        'floor_share': {
            'accepted': 'between 0 and 1', 'said': 'a number from 0 to 1', 'default': 0},
        'cap_share': {
            'accepted': 'between 0 and 1', 'said': 'a number from 0 to 1', 'default': 1},
        'cap_per_customer': {
            'accepted': 'between 0 and 1e12', 'said': 'a number from 0', 'default': 'null'},
    }) }}
{%- endmacro %}
