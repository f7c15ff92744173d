# How things vanish, webhooks that GitLab disabled, and budgets; read by tests/gitlab/check.
line() { curl -s "$control/oracle?kind=issue&project=$1" | jq -r "select(.kind==\"issue\" and .iid==$2)|\"\(.deleted) \(.reason) \(.state) \(.moved_to_id)\""; }
expected() { curl -s "$control/oracle?counts=1" | jq -c ".by_project[]|select(.id==$1).expected.issue"; }

ctl hide '{"project":122,"iid":5}'
is "confidential" 404 "$(code "$api/projects/122/issues/5")"
is "confidential in the oracle" "true confidential" "$(line 122 5 | cut -d' ' -f1,2)"
ctl hide '{"project":122,"iid":5,"hidden":false}'
is "seen again" "200 false" "$(code "$api/projects/122/issues/5") $(line 122 5 | cut -d' ' -f1)"
is "by project" '[] []' "$(expected 122 | jq -cr '"\(.confidential) \(.deleted)"')"
moved=$(curl -s -d '{"project":122,"iid":6,"to":115}' "$control/move")
is "moved" "closed $(jq .id <<<"$moved")" "$(get "$api/projects/122/issues/6" | jq -r '"\(.state) \(.moved_to_id)"')"
is "its new number" "$(jq -c '[.id,.iid]' <<<"$moved")" "$(get "$api/projects/115/issues/$(jq .iid <<<"$moved")" | jq -c '[.id,.iid]')"
is "moved in the oracle" "false null closed $(jq .id <<<"$moved")" "$(line 122 6)"
is "moves once" 404 "$(curl -s -o /dev/null -w '%{http_code}' -d '{"project":122,"iid":6,"to":115}' "$control/move")"
ctl delete '{"project":122,"kind":"issue","iid":7}'
is "holes" '1 [7] [] [6]' "$(expected 122 | jq -cr '"\(.last_iid - .have) \(.deleted) \(.confidential) \(.moved)"')"
ctl project '{"project":122,"archived":true}'
is "archived" "true 0 1" "$(get "$api/projects/122" | jq .archived) $(get "$api/projects?archived=false&per_page=100" | jq '[.[]|select(.id==122)]|length') $(get "$api/projects?archived=true" | jq length)"
ctl project '{"project":122,"namespace":"elsewhere"}'
old=$(curl -s "$control/oracle" | jq -r 'select(.kind=="project" and .id==122).path')
is "transferred" "200 301" "$(code "$api/projects/${old/\//%2F}") $(code "$api/projects/acme%2F${old#*/}")"
ctl project '{"project":122,"presence":"unlisted"}'
is "no member any more" "200 0 1" "$(code "$api/projects/122") $(get "$api/projects?membership=true" | jq '[.[]|select(.id==122)]|length') $(get "$api/projects" | jq '[.[]|select(.id==122)]|length')"
ctl project '{"project":122,"presence":"lost"}'
is "access lost" "404 404 0" "$(code "$api/projects/122") $(code "$api/projects/122/issues/5") $(get "$api/projects" | jq '[.[]|select(.id==122)]|length')"
is "lost in the oracle" "true lost_access" "$(line 122 5 | cut -d' ' -f1,2)"
is "lost by MCP" true "$(tool list_work_items '{"project_id":"122"}' | jq .result.isError)"
ctl project '{"project":122,"presence":"removed"}'
is "removed in the oracle" "true project_removed 0" "$(line 122 5 | cut -d' ' -f1,2) $(expected 122 | jq .have)"
ctl project '{"project":122,"presence":"here","archived":false}'
is "back" 200 "$(code "$api/projects/122/issues/5")"

one=$(get "$p/merge_requests?state=opened&per_page=1" | jq -c '.[0]|[.iid,.sha,.updated_at]')
ctl push "{\"project\":101,\"iid\":$(jq '.[0]' <<<"$one")}"
is "pushed" "true true" "$(get "$p/merge_requests/$(jq '.[0]' <<<"$one")" | jq -r --argjson o "$one" '"\(.sha!=$o[1]) \(.updated_at==$o[2])"')"
run=$(curl -s -d '{"project":101}' "$control/pipeline" | jq .id)
ctl pipeline "{\"project\":101,\"id\":$run,\"state\":\"canceled\"}"
is "cancelled" "canceled canceled" "$(get "$p/pipelines/$run" | jq -r .status) $(get "$p/pipelines/$run/jobs" | jq -r '[.[].status]|unique|join(" ")')"
next=$(curl -s -d '{"project":101}' "$control/pipeline" | jq .id)
jobs=$(get "$p/pipelines/$next/jobs" | jq -c '[.[].id]')
ctl delete "{\"project\":101,\"kind\":\"pipeline\",\"iid\":$run}"
is "pipeline deleted" "404 $jobs" "$(code "$p/pipelines/$run") $(get "$p/pipelines/$next/jobs" | jq -c '[.[].id]')"
ctl restore "{\"project\":101,\"kind\":\"pipeline\",\"iid\":$run}"
is "and there again" "200 canceled" "$(code "$p/pipelines/$run") $(get "$p/pipelines/$run/jobs" | jq -r '[.[].status]|unique|join(" ")')"
member=$(get "$p/members/all?per_page=1" | jq '.[0].id')
ctl delete "{\"project\":101,\"kind\":\"member\",\"iid\":$member}"
is "member left" 0 "$(get "$p/members/all?per_page=100" | jq "[.[]|select(.id==$member)]|length")"

is "may not see webhooks" 403 "$(code "$p/hooks")"
ctl token '{"token":"secret-token","hooks":true}'
is "no webhook" '[]' "$(get "$p/hooks")"
ctl hook '{"url":"http://127.0.0.1:9/","token":"hush"}'
is "webhook" "executable true false" "$(get "$p/hooks" | jq -r '.[0]|"\(.alert_status) \(.token_present) \(.signing_token_present)"')"
ctl quirks '{"auto_disable_hooks":true}'
ctl mutate '{"count":30,"seed":9}'
for _ in $(seq 200); do [ "$(curl -s "$control/status" | jq .pending)" = 0 ] && break; sleep 0.05; done
is "disabled" "temporarily_disabled" "$(get "$p/hooks" | jq -r '.[0].alert_status')"
ctl mutate '{"count":3}'
is "and not called" disabled "$(curl -s "$control/deliveries?last=1" | jq -r '.deliveries[0].fault')"
ctl hook_state '{"enable":true}'
is "enabled" "executable null" "$(get "$p/hooks/500101" | jq -r '"\(.alert_status) \(.disabled_until)"')"
ctl hook_state '{"disable":true}'
is "disabled for good" disabled "$(get "$p/hooks" | jq -r '.[0].alert_status')"
ctl hook '{}'

ctl tokens '{"token":"other","scopes":"read_api","user":1}'
other() { curl -s -o /dev/null -w '%{http_code}' -H 'PRIVATE-TOKEN: other' "$api/version"; }
fault '{"rate_limit_per_minute":2}'
for _ in 1 2 3; do code "$api/version" >/dev/null; done
is "budgets are by user" "429 200" "$(code "$api/version") $(other)"
is "and shared by MCP" 429 "$(rpc_code tools/list)"
fault '{"clear":true}'
is "requests by minute" true "$(curl -s "$control/requests?last=0" | jq '[.by_minute[]|select(.limited>0)]|length>0')"
is "a token in a query" 1 "$(code "$api/version?private_token=x" >/dev/null; curl -s "$control/requests?last=1" | jq .leaks)"
is "is not kept" 1 "$(curl -s "$control/requests?last=1" | grep -c 'private_token=-')"
