# shellcheck shell=bash disable=SC2154,SC2153  # variables of ../cluster
# What is compiled once: every part has its own stamp, so a changed script recompiles nothing.

KUBERNETES=v1.34.4     # also in kube/go.mod
COREDNS=v1.12.4
HELM=v4.3.1
KUBECONFORM=v0.8.0

# One build at a time: the cache is shared by all checkouts of this user.
locked() {
  mkdir -p "$CACHE/stamps" "$BIN" "$CACHE/images"
  local lock
  exec {lock}>"$CACHE/lock"
  flock "$lock"
  "$@"
  exec {lock}>&-
}

build() {
  need_commands go gcc buildah flock
  locked build_kubernetes
}

tools() {
  need_commands go flock
  locked build_tools
}

helm_alone() {
  need_commands go flock
  locked build_helm
}

build_kubernetes() {
  local stamps=$CACHE/stamps
  step "$stamps/kube" "$(cat "$here"/kube/* | hash_of)" "Kubernetes $KUBERNETES (the first time: 5 to 10 min)" compile_kube
  step "$stamps/coredns" "$COREDNS" "CoreDNS $COREDNS" compile coredns "github.com/coredns/coredns@$COREDNS"
  step "$stamps/pause" "$(hash_of <"$here/pause.c")" "pause" gcc -static -O2 -s -o "$BIN/pause" "$here/pause.c"
  node_image pause 65535:65535
  node_image coredns 0:0
}

build_tools() {
  local stamps=$CACHE/stamps
  step "$stamps/kube" "$(cat "$here"/kube/* | hash_of)" "Kubernetes $KUBERNETES (the first time: 5 to 10 min)" compile_kube
  build_helm
  step "$stamps/kubeconform" "$KUBECONFORM" "kubeconform $KUBECONFORM" compile kubeconform \
    "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM" "-X main.version=$KUBECONFORM"
}

build_helm() {
  step "$CACHE/stamps/helm" "$HELM" "helm $HELM" compile helm "helm.sh/helm/v4/cmd/helm@$HELM" \
    "-X helm.sh/helm/v4/internal/version.version=$HELM"
}

compile_kube() {
  local package=k8s.io/component-base/version minor=${KUBERNETES#v1.}
  (cd "$here/kube" && CGO_ENABLED=0 go build -trimpath -o "$KUBE" \
    -ldflags "-s -w -X $package.gitVersion=$KUBERNETES -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}" .)
  ln -sf kube "$BIN/kubectl"   # the binary takes the component's name from the name it is called by
}

compile() { # name, module path@version, [linker flags]
  CGO_ENABLED=0 GOBIN=$BIN GOFLAGS=-mod=mod go install -trimpath -ldflags "-s -w ${3:-}" "$2"
  [ -x "$BIN/$1" ] || die "go install $2 made no $1"
}

node_image() { # name, user: an image of the one static binary, for the node itself
  step "$CACHE/stamps/$1-image" "$(cat "$BIN/$1" "$here/lib/image.sh" | hash_of)" "image $1" pack_node_image "$@"
}

pack_node_image() { # name, user
  # shellcheck source-path=SCRIPTDIR/..
  . "$here/lib/image.sh"
  begin_image
  add_file "$BIN/$1" "/$1"
  finish_image "registry.test/$1:1" "$CACHE/images/$1.tar" "USER $2" "ENTRYPOINT [\"/$1\"]"
}
