# shellcheck shell=bash
# What differs between the clusters that the demo runs on: for each, plan_, deps_, images_, cluster_, mongodb_, reach_ and
# down_. `local` is the one-node cluster of tests/cluster; kind, minikube and current need their own programs and Docker.
#
# A cluster goes with the demo only if the demo has made it. In one that was there the demo makes only what is not there, so
# that all that it removes at its end is its own. $STATE remembers: `name`, of a cluster of kind or minikube; `made`, if by the
# demo; `entered`, if something was made in it. Where there is no name (current), a kubeconfig says that.

LOCAL_NAME=shopmesh-demo
LOCAL_NET=93
KIND_NAME=${KIND_NAME:-shopmesh-demo}
MINIKUBE_PROFILE=${MINIKUBE_PROFILE:-shopmesh-demo}
TOOLS=${CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shopmesh-cluster}/bin

known_cluster() { case $1 in local | kind | minikube | current) ;; *) return 1 ;; esac }

public_images() {
  SHOPMESH_IMAGE=$1/shopmesh:demo OPERATOR_IMAGE=$1/shopmesh-operator:demo
  REDIS_IMAGE=docker.io/library/redis:7.4-alpine NGINX_IMAGE=docker.io/nginxinc/nginx-unprivileged:1.29-alpine
}

docker_images() { # registry or prefix
  public_images "$1"
  docker build --target shopmesh -t "$SHOPMESH_IMAGE" --build-arg "PROFILE=${IMAGE_PROFILE:-release}" .
  docker build --target operator -t "$OPERATOR_IMAGE" --build-arg "PROFILE=${IMAGE_PROFILE:-release}" .
  SHOPMESH_IMAGE=$(by_content "$SHOPMESH_IMAGE")
  OPERATOR_IMAGE=$(by_content "$OPERATOR_IMAGE")
}

# Another name for each content, so that what runs an earlier one is replaced.
by_content() { # image
  local id
  id=$(docker image inspect --format '{{.Id}}' "$1")
  id=${id#sha256:}
  [ -n "$id" ] || die "docker does not know the image $1 that it has built"
  docker tag "$1" "$1-${id:0:12}"
  echo "$1-${id:0:12}"
}

# A replica set of one inside the cluster: for trying out, with the data gone when it goes.
mongodb_inside() {
  kubectl create namespace shopmesh-mongodb --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  kubectl -n shopmesh-mongodb apply -f examples/mongodb.yaml >/dev/null
  kubectl -n shopmesh-mongodb rollout status statefulset/mongodb --timeout=5m >/dev/null
  MONGODB_URI="mongodb://mongodb-0.mongodb.shopmesh-mongodb.svc:27017/?replicaSet=rs0"
}

# One port of the shop, carried to this machine by kubectl for as long as the demo lasts.
forward() {
  local port=${DEMO_PORT:-8088}
  setsid kubectl -n "$NAMESPACE" port-forward "service/$SHOP-nginx" "$port:80" >"$STATE/forward.log" 2>&1 </dev/null &
  echo $! >"$STATE/forward.pid"
  BASE_URL=http://127.0.0.1:$port
  local _
  for _ in $(seq 50); do
    curl -fsS -o /dev/null "$BASE_URL/nginx-health" 2>/dev/null && return
    sleep 0.2
  done
  die "the shop does not answer at $BASE_URL; see $STATE/forward.log"
}

stop_forward() {
  local id
  [ -f "$STATE/forward.pid" ] || return 0
  id=$(<"$STATE/forward.pid")
  if grep -qa port-forward "/proc/$id/cmdline" 2>/dev/null; then kill "$id"; fi
  rm -f "$STATE/forward.pid"
}

# The name under which up went to a cluster counts, not the one of now.
cluster_name() { if [ -f "$STATE/name" ]; then cat "$STATE/name"; else echo "$1"; fi; }

# Makes the cluster, and remembers it before, in case nobody is left to do so after.
make_cluster() { # name, command...
  local name=$1; shift
  printf '%s\n' "$name" >"$STATE/name"
  touch "$STATE/made"
  "$@" || { rm -f "$STATE/made" "$STATE/name"; die "the cluster $name could not be made"; }
}

use_cluster() { printf '%s\n' "$1" >"$STATE/name"; }

enter_cluster() {
  [ -f "$STATE/made" ] || [ -f "$STATE/entered" ] || nothing_there "$STATE/kubeconfig"
  touch "$STATE/entered"
}

nothing_there() { # kubeconfig
  local there
  for there in "namespace/$NAMESPACE" namespace/shopmesh-system namespace/shopmesh-mongodb crd/shops.shopmesh.dev; do
    if kubectl --kubeconfig "$1" get "$there" >/dev/null 2>&1; then
      die "there is a $there in this cluster already, which the demo would change; nothing was done. Use another cluster, or install by hand (README.md)"
    fi
  done
}

leave_cluster() { # command that deletes it...
  if [ -f "$STATE/made" ]; then
    "$@"
  elif [ -f "$STATE/entered" ] || { [ ! -f "$STATE/name" ] && [ -f "$STATE/kubeconfig" ]; }; then
    remove_objects
  fi
}

remove_objects() {
  KUBECONFIG=$STATE/kubeconfig
  export KUBECONFIG
  kubectl delete namespace "$NAMESPACE" --ignore-not-found --wait
  local others
  others=$(kubectl get shops.shopmesh.dev --all-namespaces --output name 2>/dev/null || true)
  [ -z "$others" ] || die "somebody has made other Shops meanwhile, which need the operator: delete them, then run this again"
  helm uninstall shopmesh-operator --namespace shopmesh-system --ignore-not-found --wait
  kubectl delete namespace shopmesh-system shopmesh-mongodb --ignore-not-found --wait
  kubectl delete crd shops.shopmesh.dev --ignore-not-found
}

# -- local

local_cluster() { CLUSTER_NAME=$LOCAL_NAME CLUSTER_NET=$LOCAL_NET "$root/tests/cluster/cluster" "$@"; }
local_servers() { SERVERS_NAME=demo SERVERS_DIR=$STATE/servers "$root/tests/servers/servers" "$@"; }

plan_local() {
  local missing
  missing=$("$root/tests/cluster/deps" --check 2>&1) || echo "install what is missing here: ${missing#*: }"
  echo "build Kubernetes, helm and CoreDNS from their Go modules into ${TOOLS%/bin}, once"
  echo "start a one-node Kubernetes in a network namespace, 10.$LOCAL_NET.0.0/16, and a MongoDB beside it (needs root)"
}
deps_local() { "$root/tests/cluster/deps"; PATH=$TOOLS:$PATH; }
images_local() {
  make --no-print-directory images IMAGE_PROFILE="${IMAGE_PROFILE:-release}"
  SHOPMESH_IMAGE=registry.test/shopmesh:dev OPERATOR_IMAGE=registry.test/shopmesh-operator:dev
  REDIS_IMAGE=registry.test/redis:7 NGINX_IMAGE=registry.test/nginx:1.22
}
cluster_local() {
  local_cluster up
  KUBECONFIG=$(local_cluster kubeconfig)
  export KUBECONFIG
  local_cluster load target/images/*.tar "${TOOLS%/bin}"/images/redis.tar "${TOOLS%/bin}"/images/nginx.tar
}
mongodb_local() {
  local_servers up --bind "10.$LOCAL_NET.0.1" --auth --no-redis
  eval "$(local_servers env)"
  MONGODB_URI=$SHOPMESH_TEST_MONGODB_URI
}
renew_local() { renew_programs target/images/shopmesh-dev.tar target/images/shopmesh-operator-dev.tar; }
reach_local() { BASE_URL=http://$(kubectl -n "$NAMESPACE" get service "$SHOP-nginx" -o 'jsonpath={.spec.clusterIP}'); }
down_local() { local_cluster down; local_servers down; }

# -- kind

plan_kind() {
  echo "build two images with docker and load them into kind"
  echo "make the kind cluster $KIND_NAME, unless it is there, with a single-node MongoDB in it (examples/mongodb.yaml)"
}
deps_kind() { need_commands kind docker kubectl helm python3 curl; }
images_kind() { docker_images localhost; }
cluster_kind() {
  KUBECONFIG=$STATE/kubeconfig
  export KUBECONFIG
  if kind get clusters | grep -qx "$KIND_NAME"; then
    use_cluster "$KIND_NAME"
  else
    make_cluster "$KIND_NAME" kind create cluster --name "$KIND_NAME" --wait 2m
  fi
  kind export kubeconfig --name "$KIND_NAME" --kubeconfig "$KUBECONFIG"
  enter_cluster
  kind load docker-image --name "$KIND_NAME" "$SHOPMESH_IMAGE" "$OPERATOR_IMAGE"
}
mongodb_kind() { mongodb_inside; }
reach_kind() { forward; }
down_kind() { stop_forward; leave_cluster kind delete cluster --name "$(cluster_name "$KIND_NAME")"; }

# -- minikube

plan_minikube() {
  echo "build two images with docker and load them into minikube"
  echo "make the minikube profile $MINIKUBE_PROFILE, unless it is there, with a single-node MongoDB in it (examples/mongodb.yaml)"
}
deps_minikube() { need_commands minikube docker kubectl helm python3 curl; }
images_minikube() { docker_images localhost; }
cluster_minikube() {
  KUBECONFIG=$STATE/kubeconfig
  export KUBECONFIG
  # It fails where there is none at all.
  if { minikube profile list --light --output json 2>/dev/null || true; } | grep -q "\"Name\": *\"$MINIKUBE_PROFILE\""; then
    use_cluster "$MINIKUBE_PROFILE"
    minikube start --profile "$MINIKUBE_PROFILE"
  else
    make_cluster "$MINIKUBE_PROFILE" minikube start --profile "$MINIKUBE_PROFILE"
  fi
  enter_cluster
  minikube image load --profile "$MINIKUBE_PROFILE" "$SHOPMESH_IMAGE" "$OPERATOR_IMAGE"
}
mongodb_minikube() { mongodb_inside; }
reach_minikube() { forward; }
down_minikube() { stop_forward; leave_cluster minikube delete --profile "$(cluster_name "$MINIKUBE_PROFILE")"; }

# -- current

plan_current() {
  echo "build two images with docker and push them to ${REGISTRY:-REGISTRY, which is not set}"
  if [ -f "$STATE/kubeconfig" ]; then
    echo "use the cluster that the demo is on already: $(kubectl --kubeconfig "$STATE/kubeconfig" config current-context)"
  else
    echo "use the cluster of your present kubectl context: $(kubectl config current-context 2>/dev/null || echo none)"
  fi
  [ -n "${MONGODB_URI:-}" ] || echo "run a single-node MongoDB in it (examples/mongodb.yaml), since MONGODB_URI is not set"
}
deps_current() {
  need_commands docker kubectl helm python3 curl
  [ -n "${REGISTRY:-}" ] || die "CLUSTER=current needs REGISTRY, a place that the cluster can pull from, e.g. ghcr.io/you"
  [ -f "$STATE/kubeconfig" ] || keep_context
}
# The demo stays with the context that it began with, whatever kubectl uses later.
keep_context() {
  local new=$STATE/kubeconfig.new
  (umask 077 && kubectl config view --minify --flatten >"$new")
  kubectl --kubeconfig "$new" cluster-info >/dev/null || die "the present kubectl context does not answer"
  nothing_there "$new"
  mv "$new" "$STATE/kubeconfig"
}
images_current() {
  docker_images "$REGISTRY"
  docker push "$SHOPMESH_IMAGE"
  docker push "$OPERATOR_IMAGE"
}
cluster_current() {
  KUBECONFIG=$STATE/kubeconfig
  export KUBECONFIG
}
mongodb_current() { [ -n "${MONGODB_URI:-}" ] || mongodb_inside; }
reach_current() { forward; }
down_current() {
  stop_forward
  leave_cluster
}
