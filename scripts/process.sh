# Starting, finding and ending background processes. Source it; it defines functions only.
# shellcheck shell=bash
#
# A process is identified by its pid together with its start time (field 22 of /proc/PID/stat), both
# kept in its pid file. The kernel sets the start time at fork and exec does not change it, so the
# identity is valid before the process has become the program, and a later process that is given
# the same pid does not match. A zombie has ended; only its parent has not collected the exit code yet.

# process_stat PID: prints "STATE START_TIME"; fails when there is no such process.
process_stat() {
    local line fields
    { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The second field is the program's name in parentheses, and may itself contain both.
    read -ra fields <<<"${line##*) }"
    echo "${fields[0]} ${fields[19]}"
}

# process_pid FILE: prints the pid of the process that the pid file names; fails when it has ended.
process_pid() {
    local pid recorded state start
    { read -r pid recorded <"$1"; } 2>/dev/null || return 1
    [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
    read -r state start < <(process_stat "$pid") || return 1
    case $state in
    Z | X | x) return 1 ;;
    esac
    [ "$start" = "$recorded" ] && echo "$pid"
}

# process_start FILE LOG COMMAND...: runs the command in a session of its own, with its output appended
# to LOG, and returns once FILE identifies it. Fails when the process ended before that. Whether the
# command itself can be executed is seen later, by process_pid and in LOG.
process_start() {
    local file=$1 log=$2 started=
    shift 2
    # The new process writes its own pid file before it executes the command. It then closes the pipe,
    # which ends the read below: nothing is polled, and the pid is right even if setsid forks.
    # shellcheck disable=SC2016
    read -r started < <(setsid bash -c '
        file=$1 log=$2
        . "$3" || exit 1
        shift 3
        read -r _ start < <(process_stat $$) || exit 1
        echo "$$ $start" >"$file.new" && mv "$file.new" "$file" || exit 1
        echo started
        exec "$@" >>"$log" 2>&1' process_start "$file" "$log" "${BASH_SOURCE[0]}" "$@" </dev/null) || true
    [ "$started" = started ]
}

# process_wait_end FILE SECONDS: waits until the process has ended; fails when it has not by then.
process_wait_end() {
    local deadline=$((SECONDS + $2))
    while process_pid "$1" >/dev/null; do
        [ "$SECONDS" -ge "$deadline" ] && return 1
        sleep 0.05
    done
}

# process_stop FILE SECONDS [SIGNAL]: sends the signal (TERM), kills the process if it has not ended by
# then, and removes the file.
process_stop() {
    local pid
    if pid=$(process_pid "$1"); then
        kill -s "${3:-TERM}" "$pid" 2>/dev/null || true
        if ! process_wait_end "$1" "$2"; then
            kill -9 "$pid" 2>/dev/null || true
            process_wait_end "$1" 10 || return 1
        fi
    fi
    rm -f "$1"
}
