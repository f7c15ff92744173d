-- The tables over documents, as views: connections, runs and what they changed, webhooks, and
-- completeness. The documents are the JSON of the family meta (store/keyspace.h).

CREATE VIEW connections AS
SELECT id,
       json_extract(document, '$.instance') AS instance,
       json_extract(document, '$.state') AS state,
       json_extract(document, '$.detail') AS detail,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(json_extract(document, '$.created_at_ms'), 0) / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(json_extract(document, '$.updated_at_ms'), 0) / 1000.0, 'unixepoch') AS updated_at,
       json_extract(document, '$.gitlab_version') AS gitlab_version
FROM connection_documents;

CREATE VIEW runs AS
SELECT connection,
       run,
       json_extract(document, '$.kind') AS kind,
       json_extract(document, '$.state') AS state,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(json_extract(document, '$.started_at_ms'), 0) / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(json_extract(document, '$.finished_at_ms'), 0) / 1000.0, 'unixepoch') AS finished_at,
       json_extract(document, '$.requests') AS requests,
       json_extract(document, '$.waited_ms') AS waited_ms,
       (SELECT coalesce(sum(json_extract(s.value, '$.rows')), 0) FROM json_each(document, '$.streams') s) AS read,
       (SELECT coalesce(sum(json_extract(s.value, '$.new')), 0) FROM json_each(outcome, '$.kinds') s) AS new,
       (SELECT coalesce(sum(json_extract(s.value, '$.changed')), 0) FROM json_each(outcome, '$.kinds') s) AS changed,
       (SELECT coalesce(sum(json_extract(s.value, '$.repaired')), 0) FROM json_each(outcome, '$.kinds') s) AS repaired,
       (SELECT coalesce(sum(json_extract(s.value, '$.deleted')), 0) FROM json_each(outcome, '$.kinds') s) AS deleted,
       (SELECT coalesce(sum(json_extract(s.value, '$.skipped')), 0) FROM json_each(document, '$.streams') s) AS skipped,
       (SELECT coalesce(sum(json_extract(s.value, '$.failed')), 0) FROM json_each(document, '$.streams') s) AS failed,
       json_extract(document, '$.error') AS error
FROM run_documents;

CREATE VIEW run_streams AS
SELECT d.connection,
       d.run,
       s.key AS stream,
       json_extract(s.value, '$.rows') AS read,
       json_extract(s.value, '$.pages') AS pages,
       json_extract(s.value, '$.follow_ups') AS follow_ups,
       json_extract(s.value, '$.records') AS records,
       json_extract(s.value, '$.skipped') AS skipped,
       json_extract(s.value, '$.failed') AS failed
FROM run_documents d, json_each(d.document, '$.streams') s;

CREATE VIEW run_changes AS
SELECT d.connection,
       d.run,
       k.key AS source_kind,
       json_extract(k.value, '$.read') AS read,
       json_extract(k.value, '$.new') AS new,
       json_extract(k.value, '$.changed') AS changed,
       json_extract(k.value, '$.repaired') AS repaired,
       json_extract(k.value, '$.deleted') AS deleted
FROM run_documents d, json_each(d.outcome, '$.kinds') k;

CREATE VIEW webhook_health AS
SELECT h.connection,
       json_extract(h.document, '$.intake') AS intake,
       json_extract(p.value, '$.project') AS source_project_id,
       json_extract(p.value, '$.event') AS event,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(json_extract(p.value, '$.last_ms'), 0) / 1000.0, 'unixepoch') AS last_delivery,
       json_extract(p.value, '$.count') AS deliveries
FROM health_documents h, json_each(h.document, '$.projects') p
WHERE h.subject LIKE 'webhooks:%';

CREATE VIEW completeness AS
SELECT h.connection,
       json_extract(h.document, '$.project') AS source_project_id,
       s.key AS stream,
       json_extract(s.value, '$.expected') AS expected,
       json_extract(s.value, '$.have') AS have,
       json_extract(s.value, '$.missing') AS missing,
       json_extract(s.value, '$.deleted') AS deleted,
       json_extract(s.value, '$.hidden') AS hidden,
       json_extract(s.value, '$.moved') AS moved,
       json_extract(s.value, '$.no_access') AS no_access,
       json_extract(s.value, '$.held') AS held,
       json_extract(s.value, '$.confidential') AS confidential,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(json_extract(h.document, '$.at_ms'), 0) / 1000.0, 'unixepoch') AS checked_at
FROM health_documents h, json_each(h.document, '$.streams') s
WHERE h.subject LIKE 'completeness:%';

-- A report that is older than another one by more than three intervals is of a fetcher that has left.
CREATE VIEW streams AS
SELECT h.connection,
       json_extract(s.value, '$.stream') AS stream,
       stream_state(h.document, json_extract(s.value, '$.stream'), cast((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) AS state,
       json_extract(s.value, '$.read_by') AS read_by,
       nullif(json_extract(s.value, '$.tool'), '') AS tool,
       nullif(json_extract(s.value, '$.credential'), '') AS credential,
       nullif(json_extract(s.value, '$.reason'), '') AS reason,
       json_extract(s.value, '$.at_gitlab') AS at_gitlab,
       nullif(json_extract(s.value, '$.counted_by'), '') AS counted_by,
       json_extract(s.value, '$.missing') AS missing,
       json_extract(s.value, '$.unread') AS unread,
       strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(s.value, '$.last_success_ms') / 1000.0, 'unixepoch') AS last_success,
       json_extract(s.value, '$.failing_runs') AS failing_runs,
       strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(s.value, '$.failing_since_ms') / 1000.0, 'unixepoch') AS failing_since,
       json_extract(s.value, '$.projects') AS projects,
       json_extract(s.value, '$.projects_skipped') AS projects_skipped,
       json_extract(h.document, '$.fetcher') AS fetcher,
       strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(h.document, '$.at_ms') / 1000.0, 'unixepoch') AS reported_at
FROM health_documents h, json_each(h.document, '$.streams') s
WHERE h.subject LIKE 'streams:%'
  AND h.connection IN (SELECT id FROM connections WHERE state NOT IN ('disabled', 'to_configure'))
  AND NOT EXISTS (SELECT 1 FROM health_documents n
                  WHERE n.connection = h.connection AND n.subject LIKE 'streams:%'
                    AND json_extract(n.document, '$.at_ms') - json_extract(h.document, '$.at_ms')
                        > 3 * max(json_extract(h.document, '$.interval_ms'), 10000));

-- Values that could not be converted, counted by view and pointer.
CREATE VIEW set_aside AS
SELECT connection,
       view,
       pointer,
       count(*) AS count,
       min(json_extract(document, '$.reason')) AS reason,
       min(json_extract(document, '$.example')) AS example,
       strftime('%Y-%m-%dT%H:%M:%fZ', min(nullif(json_extract(document, '$.observed_at_ms'), 0)) / 1000.0, 'unixepoch') AS first_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', max(nullif(json_extract(document, '$.observed_at_ms'), 0)) / 1000.0, 'unixepoch') AS last_at
FROM set_aside_documents
GROUP BY connection, view, pointer;

-- References to objects of other trackers: "SHOP-123" or "SHOP-123 https://...".
CREATE VIEW external_links AS
SELECT w.id AS entity,
       w.type AS kind,
       w.url AS entity_url,
       CASE WHEN l.value GLOB '[A-Z]*-[0-9]*' THEN 'jira' ELSE 'other' END AS system,
       substr(l.value, 1, instr(l.value || ' ', ' ') - 1) AS key,
       nullif(substr(l.value, instr(l.value || ' ', ' ') + 1), '') AS url
FROM work_items w, json_each(w.external_links) l
WHERE w.external_links IS NOT NULL;

-- The field has pairs: a category, and the rule that assigned it. The newest revision that shows the field set it.
CREATE VIEW categories AS
SELECT e.id AS entity,
       'work_item' AS kind,
       e.url AS url,
       c.value AS category,
       json_extract(e.categories, '$[' || (c.key + 1) || ']') AS rule,
       (SELECT r.version
        FROM revisions r, json_each(r.shown) f
        WHERE r.entity_id = e.id AND f.value = 'categories'
        ORDER BY r.version DESC LIMIT 1) AS revision
FROM work_items e, json_each(e.categories) c
WHERE e.categories IS NOT NULL AND c.key % 2 = 0
UNION ALL
SELECT e.id AS entity,
       'build_record' AS kind,
       e.url AS url,
       c.value AS category,
       json_extract(e.categories, '$[' || (c.key + 1) || ']') AS rule,
       (SELECT r.version
        FROM revisions r, json_each(r.shown) f
        WHERE r.entity_id = e.id AND f.value = 'categories'
        ORDER BY r.version DESC LIMIT 1) AS revision
FROM build_records e, json_each(e.categories) c
WHERE e.categories IS NOT NULL AND c.key % 2 = 0;
