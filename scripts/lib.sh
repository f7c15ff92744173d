# Shared by up and down: ports, folders, processes. Source it from the root.
# shellcheck shell=bash
. scripts/process.sh

# Only the user who runs this may read state, logs and secrets.
umask 077

bin=${BIN:-build/release/bin}
state=${STATE:-run}
port_base=${PORT_BASE:-8701}
kafka_port=${KAFKA_PORT:-19092}

fetcher_port=$port_base
intake_port=$((port_base + 1))
mapper_port=$((port_base + 2))
sink_port=$((port_base + 3))
gitlab_port=$((port_base + 9))
gitlab_control_port=$((port_base + 10))

# Prints a status line, which replaces the previous one on a terminal.
progress() {
    if [ -t 1 ]; then
        printf '\r\033[K%s' "$*"
    fi
}

step() {
    if [ -t 1 ]; then
        printf '\r\033[K%s\n' "$*"
    else
        printf '%s\n' "$*"
    fi
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start NAME PROGRAM ARGS...: starts it in the background, logging to $state/log/NAME.log, unless it is running.
start() {
    local name=$1 program=$2
    shift 2
    if process_pid "$state/$name.pid" >/dev/null; then
        return 0
    fi
    mkdir -p "$state/log"
    process_start "$state/$name.pid" "$state/log/$name.log" "$bin/$program" "$@"
}

# http_ok PORT PATH: succeeds when the answer is 200.
http_ok() {
    local line
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
    IFS= read -r -t 5 line <&3 || line=
    exec 3<&-
    [[ $line == "HTTP/1.1 200"* ]]
} 2>/dev/null

# await_ready NAME PORT PATH SECONDS: waits until the process answers 200; fails when it has ended.
await_ready() {
    local name=$1 port=$2 path=$3 limit=$4 tries=0
    while ! http_ok "$port" "$path"; do
        tries=$((tries + 1))
        if ! process_pid "$state/$name.pid" >/dev/null; then
            echo "$name has stopped; the end of its log ($state/log/$name.log):" >&2
            tail -n 5 "$state/log/$name.log" >&2
            return 1
        fi
        if [ "$tries" -gt $((limit * 10)) ]; then
            echo "$name is not ready after $limit s; see $state/log/$name.log" >&2
            return 1
        fi
        progress "waiting for $name ($((tries / 10)) of at most $limit s)"
        sleep 0.1
    done
}

# stop NAME: lets the process drain for 30 s, then kills it.
stop() { process_stop "$state/$1.pid" 30; }

# Writes a new random secret to a file of mode 0600.
new_secret() {
    [ -s "$1" ] && return 0
    printf 'glpat-%s\n' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >"$1"
}

# http_post PORT PATH JSON: sends a request; fails unless the answer is 2xx.
http_post() {
    local line
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
        "$2" "${#3}" "$3" >&3
    IFS= read -r -t 30 line <&3 || line=
    exec 3<&-
    if [[ $line != "HTTP/1.1 2"* ]]; then
        echo "POST $2 on port $1: ${line:-no answer}" >&2
        return 1
    fi
}
