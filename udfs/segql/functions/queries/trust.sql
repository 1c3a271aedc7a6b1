-- A row per segment of one version: how stable it is, the verdict, and why. What is said of the
-- whole model is the same on every row.
select
    judged.segment_id,
    judged.segment_key,
    judged.customers,
    judged.share,
    judged.jaccard,
    judged.verdict,
    case
        when judged.verdict <> 'not measured'
            then judged.verdict not in ('do not trust', 'dissolved')
    end as is_trusted,
    judged.silhouette,
    case
        when judged.segment_id = 0 then 'These customers belong to no segment (noise).'
        when judged.verdict = 'not measured'
            then 'The model was fitted before stability was measured; a refit measures it.'
        when judged.prefers_one
            then
                'The gap statistic prefers one segment: it finds no more structure in these '
                || 'customers than in uniform ones. This overrides the bootstrap Jaccard of '
                || printf('%.3f', judged.jaccard) || '.'
        when judged.k = 1
            then 'There is one segment only: it tells no customers apart.'
        else
            'Drawn and clustered anew, it comes back with a mean Jaccard of '
            || printf('%.3f', floor(1000.0 * judged.jaccard) / 1000.0) || ': '
            || case
                when judged.jaccard >= 0.85 then 'highly stable (0.85 or more).'
                when judged.jaccard >= 0.75 then 'a valid segment (0.75 or more).'
                when judged.jaccard >= 0.6
                    then 'a pattern, but who belongs to it is uncertain (below 0.75).'
                when judged.jaccard > 0.5 then 'do not trust it (below 0.6).'
                else 'it dissolves (0.5 or less).'
            end
    end as reason,
    judged.prefers_one,
    judged.noise_share,
    judged.previous_version,
    judged.ari_to_previous,
    judged.ari_to_previous < 0.8 as refit_moved,
    judged.bootstraps,
    judged.bootstrap_rows,
    judged.coreset_rows as sample_rows,
    judged.row_count as input_rows,
    judged.caps
from (
    select
        versions.*,
        case
            when versions.segment_id = 0 or versions.jaccard is null then 'not measured'
            when versions.prefers_one then 'do not trust'
            when versions.jaccard >= 0.85 then 'highly stable'
            when versions.jaccard >= 0.75 then 'valid'
            when versions.jaccard >= 0.6 then 'a pattern only'
            when versions.jaccard > 0.5 then 'do not trust'
            else 'dissolved'
        end as verdict
    from version_segments as versions
) as judged
order by judged.segment_id
