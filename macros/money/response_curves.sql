{#-
    What spending on each segment brings, as a curve with diminishing returns: spending x brings
    attainable_gain * (1 - exp(-x / response_scale)) of gross margin, and costs x. One row per
    segment, each figure as the assumptions say (no suffix), at their pessimistic end (_low) and
    at their optimistic end (_high).

    One contact of every customer costs n * (contact cost + p_treated * offer cost), and brings
    n * (p_treated - p_holdout) * order value * margin: at that spending the curve gives exactly
    this incremental profit. saturation says which share of all that can be gained this is: the
    first customers reached are the readiest, and contacting all of them again brings little more.
    p_holdout is the probability to buy, p_treated it plus the uplift, between 0 and 1.

    break_even_uplift is the uplift at which a contact pays, empty where none does: what a contact
    costs, with the offer given to those who would have bought anyway, over what one more buyer
    leaves after the offer.

    inputs has a row per segment with segment_key, customers, probability_to_buy,
    average_order_value, saturation, and margin, uplift, contact_cost and offer_cost, each also
    with _low and _high.

    {{ segql.response_curves('inputs') }}
-#}
{% macro response_curves(inputs) -%}
    {{ return(adapter.dispatch('response_curves', 'segql')(inputs)) }}
{%- endmacro %}

{% macro default__response_curves(inputs) -%}
    {%- set suffixes = ['', '_low', '_high'] -%}
    {#- What is dear is pessimistic, unless contacts put customers off: then it reaches fewer. -#}
    {%- set worse = {'': ['', ''], '_low': ['_high', '_low'], '_high': ['_low', '_high']} -%}
with

clamped as (

    select
        segment_key,
        customers,
        probability_to_buy,
        greatest(average_order_value, 0) as average_order_value,
        saturation,
        {%- for suffix in suffixes %}
        margin{{ suffix }},
        contact_cost{{ suffix }},
        offer_cost{{ suffix }},
        greatest(-probability_to_buy, least(1 - probability_to_buy, uplift{{ suffix }}))
            as uplift{{ suffix }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ inputs }}

)

select
    segment_key,
    {%- for suffix in suffixes %}
    customers * uplift{{ suffix }} * average_order_value * margin{{ suffix }} / saturation
        as attainable_gain{{ suffix }},
    customers
    * case
        when uplift{{ suffix }} >= 0
            then
                contact_cost{{ worse[suffix][0] }}
                + (probability_to_buy + uplift{{ suffix }}) * offer_cost{{ worse[suffix][0] }}
        else
            contact_cost{{ worse[suffix][1] }}
            + (probability_to_buy + uplift{{ suffix }}) * offer_cost{{ worse[suffix][1] }}
    end
    / -ln(1 - saturation) as response_scale{{ suffix }},
    {%- endfor %}
    case
        when
            average_order_value * margin > offer_cost
            and contact_cost + probability_to_buy * offer_cost
            <= (1 - probability_to_buy) * (average_order_value * margin - offer_cost)
            then
                (contact_cost + probability_to_buy * offer_cost)
                / (average_order_value * margin - offer_cost)
    end as break_even_uplift
from clamped
{%- endmacro %}
