# shellcheck shell=bash
# Background processes that outlive the script that starts them. Each is recorded as "name pid start-time boot-id":
# a process id alone may belong to somebody else by the time we end it.
# The caller sets PROCESSES to the file of records.

boot_id() { cat /proc/sys/kernel/random/boot_id; }

start_time() { # pid: field 22 of stat, counted after the command name, which may hold blanks
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -f
  # shellcheck disable=SC2086  # split into fields
  set -- ${stat##*) }
  set +f
  [ "$1" != Z ] && echo "${20}"
}

record() { printf '%s %s %s %s\n' "$1" "$2" "$(start_time "$2")" "$(boot_id)" >>"$PROCESSES"; } # name, pid

is_ours() { # pid, start time, boot id
  [ "$3" = "$(boot_id)" ] && [ "$(start_time "$1")" = "$2" ]
}

running() { # name
  local name pid start boot
  [ -f "$PROCESSES" ] || return 1
  while read -r name pid start boot; do
    [ "$name" = "$1" ] && is_ours "$pid" "$start" "$boot" && return 0
  done <"$PROCESSES"
  return 1
}

# Ends the named processes, or all, last started first; waits for each, and kills what does not go.
end_processes() { # seconds to wait, [name...]
  local seconds=$1 record name pid start boot; shift
  [ -f "$PROCESSES" ] || return 0
  local records=()
  mapfile -t records < <(tac "$PROCESSES")
  for record in "${records[@]}"; do
    read -r name pid start boot <<<"$record"
    wanted "$name" "$@" && is_ours "$pid" "$start" "$boot" && signal TERM "$pid"
  done
  for record in "${records[@]}"; do
    read -r name pid start boot <<<"$record"
    wanted "$name" "$@" || continue
    gone_within "$seconds" "$pid" "$start" "$boot" && continue
    [ "$seconds" -le 1 ] || say "$name ($pid) did not stop within $seconds s: killed"
    signal KILL "$pid"
    gone_within 5 "$pid" "$start" "$boot" || die "$name ($pid) cannot be ended"
  done
}

signal() { kill "-$1" "$2" 2>/dev/null || [ ! -e "/proc/$2" ]; } # it may have gone in between

# `return` alone would give, inside a trap, the status from before the trap: hence `return 0` everywhere.
wanted() { # name, names...: no names means all
  local name=$1 other; shift
  [ $# = 0 ] && return 0
  for other in "$@"; do [ "$name" = "$other" ] && return 0; done
  return 1
}

gone_within() { # seconds, pid, start time, boot id
  local tries=$(($1 * 20)); shift
  while is_ours "$@"; do
    [ $((tries--)) -gt 0 ] || return 1
    sleep 0.05
  done
}
