{#-
    Fails for each feature, or the segment shares, whose population stability index against the
    rows of the fit reaches the bound. segmentation is the model's name in the registry. features
    is the relation that holds the features, by default the tested one: tested on the segmentation
    itself, with its features named, it runs after the fit.
-#}
{% test drift_below(model, segmentation, bound=0.25, id='customer_id', features=none) -%}
select *
from (
    {{ segql.drift(segmentation, features or model, id) }}
) as drifted
where psi >= {{ bound }}
{%- endtest %}
