{#-
    A backtest in sentences, as an SQL expression over the columns status, horizon_days, past_days,
    past_date; our_segments, our_eta_squared, our_eta_squared_log, our_buyers and our_hit_rate; rfm_segments, rfm_eta_squared, rfm_eta_squared_log and rfm_popular_hit_rate; and
    everybody_popular_hit_rate. Says plainly when RFM groups or popularity do better.

    select {{ segql.backtest_verdict() }} as verdict from compared
-#}
{% macro backtest_verdict() -%}
    {{ return(adapter.dispatch('backtest_verdict', 'segql')()) }}
{%- endmacro %}

{% macro default__backtest_verdict() -%}
case
    when status = 'too little history'
        then
            'Too little history for a backtest of ' || horizon_days || ' days: as many days of orders'
            || ' up to ' || past_date || ' are needed, there are ' || past_days
            || ' (horizon_days).'
    when status = 'no segments'
        then
            'No segments could be fitted on the customers known on ' || past_date
            || ': too few, or too few that differ.'
    when status = 'nothing to explain'
        then
            'All customers spent the same in the ' || horizon_days || ' days after ' || past_date
            || ': there is nothing to explain.'
    when status = 'one segment'
        then
            'There is one segment only, which explains nothing of the spend of the '
            || horizon_days || ' days after ' || past_date || '.'
    else
        'Our ' || our_segments || ' segments explain ' || {{ segql.rounded_text('our_eta_squared') }}
        || ' of the variance of the next ' || horizon_days || ' days'' spend, '
        || rfm_segments || ' RFM quintile groups ' || {{ segql.rounded_text('rfm_eta_squared') }}
        || case
            when our_eta_squared > rfm_eta_squared then ': the segments explain more'
            when our_eta_squared < rfm_eta_squared then ': the RFM groups explain more'
            else ': neither explains more'
        end
        || ' (on a log scale, which the largest customers decide less, '
        || {{ segql.rounded_text('our_eta_squared_log') }} || ' and '
        || {{ segql.rounded_text('rfm_eta_squared_log') }} || ').'
        || case
            when our_buyers > 0
                then
                    ' Of ' || our_buyers || ' customers with a new purchase to predict, '
                    || {{ segql.rounded_text('our_hit_rate') }}
                    || ' bought at least one of ten recommended products, '
                    || {{ segql.rounded_text('rfm_popular_hit_rate') }}
                    || ' one of the ten most popular of their RFM group and '
                    || {{ segql.rounded_text('everybody_popular_hit_rate') }}
                    || ' one of the ten most popular of all'
                    || case
                        when our_hit_rate > everybody_popular_hit_rate then ': recommendations beat popularity.'
                        when our_hit_rate < everybody_popular_hit_rate then ': popularity does better.'
                        else ': popularity does as well.'
                    end
            else ' Recommendations had no product that a customer could have bought anew.'
        end
end
{%- endmacro %}
