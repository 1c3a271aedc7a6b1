{#-
    What the types of events mean: {kind: types}. A type is compared as segql.event_slug writes
    it. Kinds that are given replace those here.
-#}
{% macro event_kinds(given=none) -%}
    {%- set kinds = {
        'view': ['view', 'page_view', 'pageview', 'product_view', 'view_item', 'screen_view'],
        'cart': ['cart', 'add_to_cart', 'addtocart', 'cart_add', 'basket'],
        'purchase': ['purchase', 'order', 'transaction', 'checkout', 'buy'],
        'contact': ['campaign', 'campaign_sent', 'campaign_contact', 'mailing', 'email_sent',
                    'sms_sent', 'push_sent'],
        'response': ['click', 'email_click', 'campaign_click', 'campaign_response', 'response',
                     'coupon_redemption', 'redemption'],
    } -%}
    {%- if given is not none and given is not mapping -%}
        {%- do exceptions.raise_compiler_error(
            "behavior_features: event_kinds got '" ~ given ~ "'; accepted is a mapping such as"
            ~ ' {view: [page_view]}'
        ) -%}
    {%- endif -%}
    {{ return(segql.macro_options('behavior_features: event_kinds', kinds, given or {})) }}
{%- endmacro %}
