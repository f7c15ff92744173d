# What plain listings leave out, at a second stand-in with --extras; read by tests/gitlab/check.
"$bin" --token-file "$dir/token" --port 0 --port-file "$dir/xport" --control-port 0 --control-port-file "$dir/xcontrol" \
    --projects 2 --extras true --log-level error &
extras_pid=$!
trap 'for i in $pid $extras_pid; do kill "$i" 2>/dev/null || true; done; rm -rf "$dir"' EXIT
for _ in $(seq 200); do [ -s "$dir/xcontrol" ] && break; sleep 0.05; done
x=http://127.0.0.1:$(cat "$dir/xport")/api/v4/projects/101
truth() { curl -s "http://127.0.0.1:$(cat "$dir/xcontrol")/control/oracle?kind=$1&project=101"; }

child=$(truth pipeline | jq -c 'select(.parent_id)|[.id,.parent_id,.bridge_id]' | head -1)
is "a child is in no plain listing" 0 "$(for i in 1 2 3 4; do get "$x/pipelines?per_page=100&page=$i"; done | jq -s 'add|[.[]|select(.source=="parent_pipeline")]|length')"
is "children by source" "$(truth pipeline | jq -s '[.[]|select(.parent_id)]|length')" "$(header X-Total "$x/pipelines?source=parent_pipeline")"
is "a child by id" parent_pipeline "$(get "$x/pipelines/$(jq '.[0]' <<<"$child")" | jq -r .source)"
is "the trigger job names its child" "$child" \
    "$(p=$(jq '.[1]' <<<"$child"); get "$x/pipelines/$p/bridges" | jq -c '.[0]|[.downstream_pipeline.id,.pipeline.id,.id]')"
retried=$(truth job | jq -c 'select(.retried)|[.id,.pipeline_id]' | head -1)
jobs="$x/pipelines/$(jq '.[1]' <<<"$retried")/jobs?per_page=100"
is "a retried job is left out" 0 "$(get "$jobs" | jq --argjson r "$retried" '[.[]|select(.id==$r[0])]|length')"
is "but there when asked for" 1 "$(get "$jobs&include_retried=true" | jq --argjson r "$retried" '[.[]|select(.id==$r[0])]|length')"
is "notes by people are counted" "$(get "$x/issues/3" | jq .user_notes_count)" "$(get "$x/issues/3/notes" | jq '[.[]|select(.system|not)]|length')"
is "a note by GitLab" 1 "$(get "$x/issues/3/notes" | jq '[.[]|select(.system)]|length')"
is "milestones of the project" 6 "$(get "$x/milestones" | jq length)"
is "and of its group" "10 4" "$(get "$x/milestones?include_ancestors=true" | jq -r '"\(length) \([.[]|select(.group_id==7)]|length)"')"
is "the ref of a merge request's pipeline" true "$(get "$x/pipelines?per_page=100" | jq '[.[]|select(.source=="merge_request_event")|.ref|test("^refs/merge-requests/[0-9]+/head$")]|all')"
kill "$extras_pid"
