# shellcheck shell=bash
# Running a command so that it ends with the script that runs it, whatever ends the script.

attended=''

# Runs a command as the leader of a session of its own and waits for it. Not in the foreground: bash would put off its
# traps until the command has ended by itself.
attended() { # command...
  local code=0
  setsid "$@" </dev/null &
  attended=$!
  wait "$attended" || code=$?
  attended=''
  return $code
}

# For the EXIT trap: ends what still runs, with all that it started, and waits until it has cleaned up.
end_attended() {
  [ -n "$attended" ] || return 0
  kill -TERM -- "-$attended" 2>/dev/null || true
  wait "$attended" || true
  attended=''
}
