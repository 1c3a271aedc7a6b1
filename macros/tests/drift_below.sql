{#-
    Fails for each feature, or the segment shares, whose population stability index against the
    rows of the fit reaches the bound. The tested relation holds the features; segmentation is the
    model's name in the registry.
-#}
{% test drift_below(model, segmentation, bound=0.25, id='customer_id') -%}
select *
from (
    {{ segql.drift(segmentation, model, id) }}
) as drifted
where psi >= {{ bound }}
{%- endtest %}
