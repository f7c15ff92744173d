# MCP of the stand-in; read by tests/gitlab/check after check_oauth.sh, which gives the token $both.
rpc() { # METHOD [PARAMS] [CURL...]
    local method=$1 params=${2-}
    shift $(($# > 2 ? 2 : $#))
    [ -n "$params" ] || params='{}'
    curl -s -H "Authorization: Bearer $both" -H 'Accept: application/json, text/event-stream' "$@" "$api/mcp" -d "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"$method\",\"params\":$params}"
}
tool() { rpc tools/call "{\"name\":\"$1\",\"arguments\":$2}"; }
rpc_code() { rpc "$1" "${2-}" -o /dev/null -w '%{http_code}'; }
names() { rpc tools/list | jq -r '.result.tools[].name' | sort | tr '\n' ' '; }

is "version is echoed" 2025-06-18 "$(rpc initialize '{"protocolVersion":"2025-06-18"}' | jq -r .result.protocolVersion)"
is "stateless is lowered" 2025-11-25 "$(rpc initialize '{"protocolVersion":"2026-07-28"}' | jq -r .result.protocolVersion)"
is "unknown version" "-32602 a" "$(rpc initialize '{"protocolVersion":"1"}' | jq -r '"\(.error.code) \(.id)"')"
is "server" "Official GitLab MCP Server 19.5.0-ee" "$(rpc initialize '{"protocolVersion":"2025-06-18"}' | jq -r '.result.serverInfo|"\(.name) \(.version)"')"
is "notification" 204 "$(rpc_code notifications/initialized)"
is "no ping" "404 -32601" "$(rpc_code ping) $(rpc ping | jq .error.code)"
is "no batch" "400 -32600" "$(curl -s -w '%{http_code} ' -o "$dir/batch" -H "Authorization: Bearer $both" "$api/mcp" -d '[]')$(jq .error.code "$dir/batch")"
is "no stream" 405 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $both" "$api/mcp")"
ctl quirks '{"version":"18.6"}'
is "tools of 18.6" "create_issue create_merge_request get_issue get_mcp_server_version get_merge_request get_pipeline_jobs gitlab_search manage_pipeline " "$(names)"
is "18.6 names no version" 2025-06-18 "$(rpc initialize '{"protocolVersion":"1"}' | jq -r .result.protocolVersion)"
is "id of an error" null "$(tool list_work_items '{}' | jq .id)"
is "no hints" false "$(rpc tools/list | jq '.result.tools[0]|has("annotations")')"
ctl quirks '{"version":"19.3"}'
is "19.3 lists merge requests" 1 "$(names | grep -c 'list_merge_requests list_pipelines')"
is "19.3 lists no work items" 0 "$(names | grep -c 'list_work_items')"
ctl quirks '{"version":"19.4"}'
is "19.4 lists work items" 1 "$(names | grep -c 'list_work_items')"
ctl quirks '{"version":"19.5"}'
is "hints lie" true "$(rpc tools/list | jq '.result.tools[]|select(.name=="save_note").annotations.readOnlyHint')"

id='"id":"101"' project='"project_id":"101"'
is "issue" "$(get "$p/issues/7" | md5sum)" "$(tool get_issue "{$id,\"issue_iid\":7}" | jq -rj '.result.content[0].text' | md5sum)"
is "structured" 7 "$(tool get_issue "{$id,\"issue_iid\":7}" | jq .result.structuredContent.iid)"
is "not there" "true 404 Not found" "$(tool get_issue "{$id,\"issue_iid\":999999}" | jq -r '"\(.result.isError) \(.result.content[0].text)"')"
is "bad arguments by REST" "-32602" "$(tool get_issue '{}' | jq .error.code)"
is "bad arguments by GraphQL" "true Validation error: first must be between 1 and 100" "$(tool list_work_items "{$project,\"first\":101}" | jq -r '"\(.result.isError) \(.result.content[0].text)"')"
is "merge request" "7 2" "$(tool get_merge_request "{$project,\"merge_request_iid\":7}" | jq -r '.result.structuredContent|"\(.iid) \(.createdAt|split(":")|length-1)"')"
is "by url" 7 "$(tool get_merge_request "{\"url\":\"$base/acme/web-shop/-/merge_requests/7\"}" | jq -r .result.structuredContent.iid)"
is "no updatedAt in rows" "false true" "$(tool list_merge_requests "{$project}" | jq -r '.result.structuredContent|"\(.nodes[0]|has("updatedAt")) \(.pageInfo.hasNextPage)"')"
is "pipelines say no more" "100 false" "$(tool list_pipelines "{$id,\"per_page\":100}" | jq -r '.result.structuredContent|"\(.items|length) \(.metadata.has_more)"')"
is "pipeline" 1 "$(pid1=$(get "$p/pipelines?per_page=1" | jq '.[0].id'); tool get_pipeline "{$id,\"pipeline_id\":$pid1}" | jq -r .result.structuredContent.id | grep -c "Pipeline/$pid1")"
is "releases" "$(get "$p/releases?per_page=100" | jq length)" "$(tool list_releases "{$project,\"per_page\":100}" | jq '.result.structuredContent.releases|length')"
is "members" "$(get "$p/members/all?per_page=100" | jq '[.[].id]|sort|length')" "$(tool list_project_members "{$project,\"first\":100}" | jq '[.result.structuredContent.members[].id]|unique|length')"
is "search" true "$(tool search '{"scope":"issues","search":"e","project_id":"108"}' | jq '.result.structuredContent.items|length>0')"
is "recorded titles" "$(get "$api/projects/12345678/merge_requests?per_page=100" | jq -c '[.[]|.title]|sort' | md5sum)" "$(tool list_merge_requests '{"project_id":"12345678","first":100}' | jq -c '[.result.structuredContent.nodes[]|.title]|sort' | md5sum)"
is "recorded states" "$(get "$api/projects/12345678/issues?per_page=100" | jq -c '[.[]|select(.state=="opened").iid]|sort' | md5sum)" "$(tool list_work_items '{"project_id":"12345678","first":100}' | jq -c '[.result.structuredContent.nodes[]|select(.state=="OPEN").iid|tonumber]|sort' | md5sum)"
after= n=0
: >"$dir/ids"
while :; do
    tool list_work_items "{\"project_id\":\"122\",\"types\":[\"INCIDENT\"],\"first\":100,\"sort\":\"UPDATED_DESC\"$after}" >"$dir/page"
    jq -r '.result.structuredContent.nodes[].iid' "$dir/page" >>"$dir/ids"
    [ "$(jq .result.structuredContent.pageInfo.hasNextPage "$dir/page")" = true ] || break
    after=",\"after\":$(jq .result.structuredContent.pageInfo.endCursor "$dir/page")"
done
is "work items by cursor" "$(header X-Total "$api/projects/122/issues?issue_type=incident")" "$(sort -un "$dir/ids" | wc -l)"
since=$(get "$api/projects/115/issues?order_by=updated_at&per_page=11" | jq -r '.[10].updated_at')
is "updated_after" 11 "$(tool list_work_items "{\"project_id\":\"115\",\"first\":100,\"updated_after\":\"$since\"}" | jq '.result.structuredContent.nodes|length')"

ctl quirks '{"tools_per_page":5,"empty_cursor":true}'
is "a cursor that is empty" '"" t10' "$(rpc tools/list | jq .result.nextCursor) $(rpc tools/list '{"cursor":""}' | jq -r .result.nextCursor)"
is "bad cursor" -32602 "$(rpc tools/list '{"cursor":"x"}' | jq .error.code)"
ctl quirks '{"clear":true,"sessions":true}'
is "session needed" 400 "$(rpc_code tools/list)"
session=$(rpc initialize '{"protocolVersion":"2025-11-25"}' -D - -o /dev/null | tr -d '\r' | sed -n 's/^Mcp-Session-Id: //Ip')
is "session" 200 "$(rpc tools/list '' -H "Mcp-Session-Id: $session" -o /dev/null -w '%{http_code}')"
ctl oauth '{"forget_sessions":true}'
is "forgotten" 404 "$(rpc tools/list '' -H "Mcp-Session-Id: $session" -o /dev/null -w '%{http_code}')"
ctl quirks '{"clear":true,"transport":"sse","sse_cuts":1}'
rpc tools/list >"$dir/stream"
event=$(sed -n 's/^id: //p' "$dir/stream")
is "cut stream" 0 "$(grep -c tools "$dir/stream")"
is "resumed" 1 "$(curl -s -H "Authorization: Bearer $both" -H "Last-Event-ID: $event" "$api/mcp" | grep -c '^data: {"jsonrpc":"2.0","result":{"tools"')"
is "stream" 1 "$(rpc tools/list | grep -c '^data: {"jsonrpc":"2.0","result":{"tools"')"
ctl quirks '{"clear":true,"transport":"sse","sse_requests":true}'
is "asked back" 1 "$(rpc tools/list | grep -c '"id":"server-1","method":"ping"')"
is "and answered" 202 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $both" "$api/mcp" -d '{"jsonrpc":"2.0","id":"server-1","result":{}}')"
ctl quirks '{"clear":true,"evil_cursor":true}'
is "evil cursor" 't1\r\nX-Evil: 1' "$(rpc tools/list | jq -c .result.nextCursor | tr -d '"')"
ctl quirks '{"clear":true,"mcp_off":true}'
is "off" 404 "$(rpc_code tools/list)"
ctl quirks '{"clear":true}'
fault '{"members_per_minute":1}'
tool list_project_members "{$project}" >/dev/null
is "inner limit" "true rate_limited" "$(tool list_project_members "{$project}" | jq -r '"\(.result.isError) \(.result.structuredContent.error.type)"')"
is "same limit by REST, no headers" "429 " "$(code "$p/members/all") $(header Retry-After "$p/members/all")"
fault '{"clear":true,"members_per_minute":0}'
is "still no writes" 0 "$(curl -s "$control/requests?last=0" | jq .writes)"
is "a write tool" "true 403 Forbidden" "$(tool save_note '{"body":"x"}' | jq -r '"\(.result.isError) \(.result.content[0].text)"')"
is "is a write" 1 "$(curl -s "$control/requests?last=0" | jq .writes)"
is "and is named" 1 "$(curl -s "$control/requests?last=3" | grep -c 'POST /api/v4/mcp tools/call save_note WRITE')"
curl -s -o /dev/null -d '{"clear":true}' "$control/requests"
