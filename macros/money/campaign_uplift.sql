{#-
    How many more customers bought because they were contacted, measured: one row per segment with
    uplift, the difference of the shares of buyers between treated and holdout, and its 95 %
    interval (uplift_low, uplift_high).

    results has a row per campaign and segment: campaign, segment_key, treated, treated_buyers,
    holdout, holdout_buyers, and ends_on where there is one. Campaigns of one segment are pooled
    with the weights of Mantel and Haenszel, so that unlike shares of holdouts do not bend the
    difference. The interval is Newcombe's hybrid score (1998, method 10), for several campaigns
    in the stratified form of Yan and Su (2010); it holds with few buyers too.

    keys is a relation whose column `segment` holds the segments that there are or were, none accepts
    any. Counts that cannot be meant fail the query, and are named.

    {{ segql.campaign_uplift(ref('campaign_results')) }}
-#}
{% macro campaign_uplift(results, keys=none) -%}
    {%- do segql.check_columns('campaign_uplift', results, {
        'campaign': 'campaign', 'segment': 'segment_key', 'treated': 'treated',
        'treated_buyers': 'treated_buyers', 'holdout': 'holdout',
        'holdout_buyers': 'holdout_buyers',
    }, {
        'treated': 'number', 'treated_buyers': 'number', 'holdout': 'number',
        'holdout_buyers': 'number',
    }) -%}
    {{ return(adapter.dispatch('campaign_uplift', 'segql')(results, keys)) }}
{%- endmacro %}

{% macro default__campaign_uplift(results, keys) -%}
    {%- set z = '1.959963984540054e0' -%}
    {%- set source = results.identifier if results is not string else results -%}
    {%- set columns = segql.relation_columns(results) | map(attribute='name') | map('lower') -%}
    {%- set ends_on = 'cast(ends_on as date)' if 'ends_on' in columns | list
        else 'cast(null as date)' -%}
    {%- set arms = ['treated', 'holdout'] -%}
with

results as (

    select
        cast(campaign as string) as campaign,
        cast(segment_key as string) as segment_key,
        {{ ends_on }} as ends_on,
        treated,
        treated_buyers,
        holdout,
        holdout_buyers
    from {{ results }}

),

{{ segql.campaign_faults(source, keys) }},

counted as (

    select
        results.segment_key,
        results.ends_on,
        {%- for arm in arms %}
        cast(results.{{ arm }} as bigint) as {{ arm }},
        cast(results.{{ arm }}_buyers as bigint) as {{ arm }}_buyers,
        1e0 * results.{{ arm }}_buyers / results.{{ arm }} as {{ arm }}_rate,
        {%- endfor %}
        1e0 * results.treated * results.holdout / (results.treated + results.holdout) as size
    from results
    cross join checked
    where checked.is_fine

),

weighted as (

    select
        *,
        size / cast(sum(cast(size as decimal(38, 15))) over (partition by segment_key) as double)
            as weight
        {%- for arm in arms %},
        -- The variance; where all campaigns have none (nobody or everybody bought), that of equal
        -- shares, which the quantile below is the limit of.
        case
            when
                sum({{ arm }}_buyers * ({{ arm }} - {{ arm }}_buyers)) over (partition by segment_key) > 0
                then {{ arm }}_rate * (1 - {{ arm }}_rate) / {{ arm }}
            else 1e0 / {{ arm }}
        end as {{ arm }}_variance
        {%- endfor %}
    from counted

),

quantiles as (

    select
        segment_key,
        {%- for arm in arms %}
        {{ z }}
        * sqrt(
            cast(sum(cast(weight * weight * {{ arm }}_variance as decimal(38, 24))) as double)
        )
        / cast(sum(cast(weight * sqrt({{ arm }}_variance) as decimal(38, 24))) as double)
            as {{ arm }}_z
        {{- ',' if not loop.last }}
        {%- endfor %}
    from weighted
    group by segment_key

),

scored as (

    select
        weighted.*
        {%- for arm in arms %}
        {%- set n = 'weighted.' ~ arm %}
        {%- set z2 = 'power(quantiles.' ~ arm ~ '_z, 2)' %}
        {%- for bound, sign in [('low', '-'), ('high', '+')] %},
        (
            {{ n }}_rate + {{ z2 }} / (2 * {{ n }})
            {{ sign }} quantiles.{{ arm }}_z * sqrt(
                {{ n }}_rate * (1 - {{ n }}_rate) / {{ n }}
                + {{ z2 }} / (4e0 * {{ n }} * {{ n }})
            )
        ) / (1 + {{ z2 }} / {{ n }}) as {{ arm }}_{{ bound }}
        {%- endfor %}
        {%- endfor %}
    from weighted
    inner join quantiles
        on weighted.segment_key = quantiles.segment_key

),

pooled as (

    select
        segment_key,
        count(*) as campaigns,
        max(ends_on) as last_ends_on
        {%- for arm in arms %},
        cast(sum({{ arm }}) as bigint) as {{ arm }},
        cast(sum({{ arm }}_buyers) as bigint) as {{ arm }}_buyers,
        cast(sum(cast(weight * {{ arm }}_rate as decimal(38, 18))) as double) as {{ arm }}_rate,
        cast(sum(cast(weight * {{ arm }}_low as decimal(38, 18))) as double) as {{ arm }}_low,
        cast(sum(cast(weight * {{ arm }}_high as decimal(38, 18))) as double) as {{ arm }}_high,
        cast(sum(cast(weight * weight / {{ arm }} as decimal(38, 24))) as double)
            as {{ arm }}_inverse
        {%- endfor %}
    from scored
    group by segment_key

)

select
    segment_key,
    campaigns,
    last_ends_on,
    treated,
    treated_buyers,
    treated_rate,
    holdout,
    holdout_buyers,
    holdout_rate,
    treated_rate - holdout_rate as uplift,
    greatest(
        -1,
        treated_rate - holdout_rate
        - {{ z }} * sqrt(
            treated_inverse * greatest(treated_low * (1 - treated_low), 0)
            + holdout_inverse * greatest(holdout_high * (1 - holdout_high), 0)
        )
    ) as uplift_low,
    least(
        1,
        treated_rate - holdout_rate
        + {{ z }} * sqrt(
            treated_inverse * greatest(treated_high * (1 - treated_high), 0)
            + holdout_inverse * greatest(holdout_low * (1 - holdout_low), 0)
        )
    ) as uplift_high
from pooled
{%- endmacro %}
