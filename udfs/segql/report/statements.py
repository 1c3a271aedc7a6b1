"""Statements that aggregate large marts for the report."""

#: Customers by recency and frequency score.
GRID = """
select
    r_score,
    f_score,
    count(*) as customers,
    avg(monetary) as monetary,
    mode(rfm_segment order by rfm_segment) as segment
from {rfm_segments}
where r_score is not null and f_score is not null
group by all
order by r_score desc, f_score desc
"""

#: Learned segments against RFM segments.
OVERLAP = """
with customer_segments as (
    select * from {customer_segments}
),

rfm_segments as (
    select * from {rfm_segments}
),

both_segments as (
    select
        customer_segments.segment_key,
        rfm_segments.rfm_segment,
        count(*) as customers
    from customer_segments
    inner join rfm_segments on customer_segments.customer_id = rfm_segments.customer_id
    where customer_segments.segment_key is not null and rfm_segments.rfm_segment is not null
    group by all
)

select
    segment_key,
    rfm_segment,
    customers,
    customers / sum(customers) over (partition by segment_key) as share,
    customers / sum(customers) over (partition by rfm_segment) as share_of_rfm
from both_segments
order by segment_key, customers desc, rfm_segment
"""

#: How near the customers of each segment are to their own centroid and not to the next one.
SILHOUETTES = """
with confident as (
    select
        segment_key,
        confidence,
        ntile({steps}) over (
            partition by segment_key order by confidence desc, customer_id
        ) as step,
        count(*) over (partition by segment_key) as customers
    from {customer_segments}
    where confidence is not null
)

select
    segment_key,
    step,
    any_value(customers) as customers,
    avg(confidence) as confidence
from confident
group by segment_key, step
order by segment_key, step
"""
