# shellcheck shell=bash
# Programs of the test cluster keep the tags of their images when they change, and nothing is started again for that.

# Starts again what runs earlier programs than those of the archives: the operator, and the pods of all Shops that are made of
# them. The namespace of the operator remembers which were there last.
renew_programs() { # archive...
  local now before namespace name place='shopmesh\.dev/programs'
  now=$(sha256sum -- "$@" | cut -d' ' -f1 | sha256sum | cut -c1-16)
  before=$(kubectl get namespace shopmesh-system -o "jsonpath={.metadata.annotations.$place}")
  if [ -n "$before" ] && [ "$before" != "$now" ]; then
    say "the programs have changed: what runs them is started again"
    kubectl -n shopmesh-system rollout restart deployment/shopmesh-operator >/dev/null
    kubectl -n shopmesh-system rollout status deployment/shopmesh-operator --timeout=3m >/dev/null
    local all
    all=$(kubectl get deployments --all-namespaces \
      -l 'app.kubernetes.io/managed-by=shopmesh-operator,app.kubernetes.io/component in (service,payment-provider)' \
      -o 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}')
    while read -r namespace name; do
      [ -z "$name" ] || kubectl -n "$namespace" rollout restart "deployment/$name" </dev/null >/dev/null
    done <<<"$all"
    while read -r namespace name; do
      [ -z "$name" ] || kubectl -n "$namespace" rollout status "deployment/$name" --timeout=2m </dev/null >/dev/null ||
        say "$name in $namespace is not available yet"
    done <<<"$all"
  fi
  kubectl annotate namespace shopmesh-system "shopmesh.dev/programs=$now" --overwrite >/dev/null
}
