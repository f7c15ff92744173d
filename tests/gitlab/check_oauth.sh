# OAuth of the stand-in; read by tests/gitlab/check, which gives is, ctl, api and control.
base=${api%/api/v4}
verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk
challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM

mcp_code() { curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "$api/mcp" -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'; }
where_to() { # EXTRA-QUERY: where the approval leads to
    curl -s -o /dev/null -w '%{redirect_url}' "$base/oauth/authorize?response_type=code&client_id=$client&redirect_uri=http%3A%2F%2F127.0.0.1%3A5555%2Fcb&state=s%201&scope=mcp&code_challenge=$challenge&code_challenge_method=S256&resource=$api/mcp${1-}"
}
approve() { where_to "${1-}" | sed -n 's/.*[?&]code=\([^&]*\).*/\1/p'; }
token() { curl -s "$base/oauth/token" -d "client_id=$client" "$@"; }
exchange() { token -d grant_type=authorization_code -d "code=$1" --data-urlencode redirect_uri=http://127.0.0.1:5555/cb -d "code_verifier=${2-$verifier}"; }
refresh() { token -d grant_type=refresh_token -d "refresh_token=$1"; }

is "challenge" yes "$(curl -s -o /dev/null -D - "$api/mcp" | grep -qi "^www-authenticate: Bearer realm=\"GitLab\", resource_metadata=\"$base/.well-known/oauth-protected-resource/api/v4/mcp\", scope=\"mcp\"" && echo yes)"
is "resource" "$api/mcp" "$(curl -s "$base/.well-known/oauth-protected-resource/api/v4/mcp" | jq -r .resource)"
ctl quirks '{"resource_form":"array","no_scopes_supported":true}'
is "resource as array" "array false" "$(curl -s "$base/.well-known/oauth-protected-resource" | jq -r '"\(.resource|type) \(has("scopes_supported"))"')"
ctl quirks '{"clear":true}'
is "issuer" "$base" "$(curl -s "$base/.well-known/oauth-authorization-server" | jq -r .issuer)"
is "same document" "$(curl -s "$base/.well-known/oauth-authorization-server" | md5sum)" "$(curl -s "$base/.well-known/openid-configuration" | md5sum)"
for f in authorization token registration revocation; do
    ctl quirks "{\"foreign\":\"$f\"}"
    is "foreign $f" 1 "$(curl -s "$base/.well-known/oauth-authorization-server" | grep -o 'gitlab.evil.example' | wc -l)"
done
ctl quirks '{"clear":true,"pkce":"absent","issuer":"wrong"}'
is "no S256" "null https://gitlab.evil.example" "$(curl -s "$base/.well-known/oauth-authorization-server" | jq -r '"\(.code_challenge_methods_supported) \(.issuer)"')"
ctl quirks '{"clear":true}'

registration=$(curl -s "$base/oauth/register" -d '{"client_name":"t","redirect_uris":["http:\/\/127.0.0.1:1\/cb","http://localhost:1/cb"],"scope":"api"}')
client=$(jq -r .client_id <<<"$registration")
is "registered" "none mcp true [Unverified Dynamic Application] t" "$(jq -r '"\(.token_endpoint_auth_method) \(.scope) \(.require_pkce) \(.client_name)"' <<<"$registration")"
is "no name" invalid_client_metadata "$(curl -s "$base/oauth/register" -d '{"redirect_uris":["http://127.0.0.1:1/cb"]}' | jq -r .error)"
ctl quirks '{"register_per_hour":2}'
is "registrations an hour" 429 "$(curl -s -o /dev/null -w '%{http_code}' "$base/oauth/register" -d '{"client_name":"t","redirect_uris":"http://127.0.0.1/"}')"
ctl quirks '{"clear":true}'

is "state comes back" 1 "$(where_to | grep -c '^http://127.0.0.1:5555/cb?code=[0-9a-f]*&state=s%201$')"
is "wrong scope" 1 "$(where_to '&scope=api' | grep -c 'error=invalid_scope\|code=')"
is "localhost fits exactly" 400 "$(curl -s -o /dev/null -w '%{http_code}' "$base/oauth/authorize?response_type=code&client_id=$client&redirect_uri=http://localhost:2/cb")"
ctl quirks '{"iss":"right"}'
is "iss" 1 "$(where_to | grep -c 'iss=http%3A%2F%2F127.0.0.1')"
ctl quirks '{"iss":"off","consent":"deny"}'
is "denied" 1 "$(where_to | grep -c 'error=access_denied')"
ctl quirks '{"consent":"page"}'
is "consent page" approve "$(curl -s "$base/oauth/authorize?response_type=code&client_id=$client&redirect_uri=http://127.0.0.1:1/cb&scope=mcp&code_challenge=$challenge&code_challenge_method=S256" | sed -n 's/.*id="\(approve\)".*/\1/p')"
ctl quirks '{"clear":true}'

is "wrong verifier" invalid_grant "$(exchange "$(approve)" "${verifier}x" | jq -r .error)"
code=$(approve)
first=$(exchange "$code")
is "token" "Bearer 7200 mcp" "$(jq -r '"\(.token_type) \(.expires_in) \(.scope)"' <<<"$first")"
is "a code is used once" invalid_grant "$(exchange "$code" | jq -r .error)"
is "mcp answers" 200 "$(mcp_code "$(jq -r .access_token <<<"$first")")"
is "no REST for mcp" 403 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(jq -r .access_token <<<"$first")" "$api/projects/101/pipelines")"
ctl quirks '{"rest_by_mcp":true}'
is "REST behind a tool" "200 403" "$(for r in pipelines members; do curl -s -o /dev/null -w '%{http_code} ' -H "Authorization: Bearer $(jq -r .access_token <<<"$first")" "$api/projects/101/$r"; done | sed 's/ $//')"
is "no mcp for read_api" 403 "$(mcp_code secret-token)"
second=$(refresh "$(jq -r .refresh_token <<<"$first")")
is "old access token ends" 401 "$(mcp_code "$(jq -r .access_token <<<"$first")")"
is "old refresh token ends" invalid_grant "$(refresh "$(jq -r .refresh_token <<<"$first")" | jq -r .error)"
is "the new one lives" 200 "$(mcp_code "$(jq -r .access_token <<<"$second")")"
ctl quirks '{"token_life_s":0}'
third=$(refresh "$(jq -r .refresh_token <<<"$second")")
is "it expires" 401 "$(mcp_code "$(jq -r .access_token <<<"$third")")"
ctl quirks '{"token_life_s":7200}'
ctl answers '{"where":"token","how":"lost","next":1}'
is "a lost answer" 1 "$(refresh "$(jq -r .refresh_token <<<"$third")" >/dev/null 2>&1 || echo 1)"
is "it was done" invalid_grant "$(refresh "$(jq -r .refresh_token <<<"$third")" | jq -r .error)"
fourth=$(exchange "$(approve)")
ctl answers '{"where":"token","how":"error","status":502}'
refresh "$(jq -r .refresh_token <<<"$fourth")" >/dev/null
is "an error did nothing" 200 "$(mcp_code "$(jq -r .access_token <<<"$fourth")")"
ctl answers '{"where":"token","how":"hold_after"}'
refresh "$(jq -r .refresh_token <<<"$fourth")" >"$dir/held" &
for _ in $(seq 200); do [ "$(curl -s "$control/answers" | jq .held)" = 1 ] && break; sleep 0.02; done
is "held, done already" 401 "$(mcp_code "$(jq -r .access_token <<<"$fourth")")"
is "released" 1 "$(curl -s -d '{}' "$control/release" | jq .released)"
wait $!
access=$(jq -r .access_token "$dir/held")
is "the held answer" 200 "$(mcp_code "$access")"
for how in redirect:307 limited:429 oversized:200 garbage:200; do
    ctl answers "{\"where\":\"metadata\",\"how\":\"${how%:*}\"}"
    is "answer ${how%:*}" "${how#*:}" "$(curl -s -o /dev/null -w '%{http_code}' "$base/.well-known/oauth-authorization-server")"
done
ctl answers '{"where":"resource","how":"endless"}'
is "endless" 28 "$(curl -s -m 0.3 -o /dev/null "$base/.well-known/oauth-protected-resource" || echo $?)"
is "info" mcp "$(curl -s -H "Authorization: Bearer $access" "$base/oauth/token/info" | jq -r '.scope[0]')"
is "an unknown client may not revoke" 403 "$(curl -s -o /dev/null -w '%{http_code}' "$base/oauth/revoke" -d "client_id=x&token=$access")"
is "revoked" '{}' "$(curl -s "$base/oauth/revoke" -d "client_id=$client&token=$(jq -r .refresh_token "$dir/held")")"
is "both are gone" 401 "$(mcp_code "$access")"

ctl application '{"id":"app","secret":"hush","scopes":"mcp read_api","redirect_uri":"http://127.0.0.1/cb"}'
client=app
is "wrong secret" invalid_client "$(token -d grant_type=refresh_token | jq -r .error)"
code=$(curl -s -o /dev/null -w '%{redirect_url}' "$base/oauth/authorize?response_type=code&client_id=app&redirect_uri=http://127.0.0.1/cb&scope=mcp+read_api&resource=$api/mcp" | sed -n 's/.*code=\([^&]*\).*/\1/p')
both=$(curl -s -u app:hush "$base/oauth/token" -d "grant_type=authorization_code&code=$code&redirect_uri=http://127.0.0.1/cb" | jq -r .access_token)
is "both scopes" "200 200" "$(mcp_code "$both") $(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $both" "$api/user")"
is "no writes by OAuth" 0 "$(curl -s "$control/requests?last=0" | jq .writes)"
is "no secrets in the log" 0 "$(curl -s "$control/requests" | grep -c "$access\|$code\|hush")"
