{#-
    How many of the first so many customers of a segment are held out: the share of them, rounded
    down from a start that is counted in parts of a customer. In whole numbers, so that it is exact.
-#}
{% macro holdout_count(customers, start, options) -%}
    ({{ customers }} * {{ options.held_parts }} + {{ start }}) // {{ options.parts }}
{%- endmacro %}
