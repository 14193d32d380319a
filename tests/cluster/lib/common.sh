# shellcheck shell=bash
# Shared by the scripts of tests/cluster and tests/servers: messages, checks, timing.

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

usage_of() { # the comment block at the top of a script is its help
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"
}

need_root() { [ "$(id -u)" = 0 ] || die "needs root ($1); run it with sudo -E"; }

need_commands() { # command...
  local command missing=()
  for command in "$@"; do
    type -P "$command" >/dev/null || missing+=("$command")
  done
  [ ${#missing[@]} = 0 ] || die "missing: ${missing[*]}; run 'make deps' (tests/cluster/deps)"
}

hash_of() { sha256sum | cut -c1-32; }

# Runs a step unless its stamp says that it was done with the same inputs.
step() { # stamp file, inputs' hash, what, command...
  local stamp=$1 hash=$2 what=$3 from=$SECONDS; shift 3
  [ -f "$stamp" ] && [ "$(<"$stamp")" = "$hash" ] && return 0
  say "$what ..."
  rm -f "$stamp"
  "$@"
  mkdir -p "${stamp%/*}"
  printf '%s' "$hash" >"$stamp"
  say "$what: done in $((SECONDS - from)) s"
}
