# shellcheck shell=bash
# Keys and passwords of a shop that runs on this machine, made when it starts: nothing has a default. Run from the top folder.

make_secrets() { # folder, address of the admin
  local dir=$1 admin=$2
  (
    umask 077
    openssl genpkey -algorithm ed25519 -out "$dir/signing.pem"
    openssl pkey -in "$dir/signing.pem" -pubout -outform DER | python3 deploy/demo/key_set.py >"$dir/jwks.json"
    openssl rand -hex 24 | tr -d '\n' >"$dir/psp-key"
    openssl rand -hex 24 | tr -d '\n' >"$dir/psp-webhooks"
    printf %s "$admin" >"$dir/admin-email"
    openssl rand -hex 12 | tr -d '\n' >"$dir/admin-password"
  )
}
