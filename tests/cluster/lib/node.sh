# shellcheck shell=bash disable=SC2154,SC2153  # variables of ../cluster
# The node: containerd, kubelet, scheduler, kube-proxy, DNS; and how to end its pods.

start_node() {
  check_bridge_filter
  make_cgroups
  write_node_config
  spawn containerd containerd --config "$DIR/containerd.toml"
  wait_for 20 containerd containerd ctr version
  ctr image import --no-unpack "$CACHE/images/pause.tar" >/dev/null
  ctr image import --no-unpack "$CACHE/images/coredns.tar" >/dev/null
  spawn scheduler "$KUBE" kube-scheduler --kubeconfig="$DIR/admin.conf" --authentication-kubeconfig="$DIR/admin.conf" \
    --authorization-kubeconfig="$DIR/admin.conf" --leader-elect=false --bind-address=127.0.0.1
  spawn kubelet "$KUBE" kubelet --config="$DIR/kubelet.yaml" --kubeconfig="$DIR/kubelet.conf" --root-dir="$DIR/kubelet" \
    --hostname-override=node --node-ip="$NODE"
  spawn proxy "$KUBE" kube-proxy --config="$DIR/proxy.yaml"
  wait_for 60 kubelet node kubectl wait node/node --for=condition=Ready --timeout=1s
}

# Every folder is the cluster's own, also those with a fixed default, so that two clusters share nothing.
write_node_config() {
  mkdir -p "$DIR/cni"
  cat >"$DIR/containerd.toml" <<Y
version = 2
root = "$DIR/containerd/root"
state = "$DIR/containerd/state"
[grpc]
  address = "$DIR/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$DIR/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.test/pause:1"
  restrict_oom_score_adj = true        # root without CAP_SYS_RESOURCE
  netns_mounts_under_state_dir = true  # so that down finds them
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$DIR/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "$DIR/containerd/runc"
Y
  cat >"$DIR/cni/10-bridge.conflist" <<Y
{"cniVersion": "0.4.0", "name": "$GROUP", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_RANGE"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "$DIR/ipam"}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  cat >"$DIR/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $DIR/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $DIR/pki/kubelet.crt
tlsPrivateKeyFile: $DIR/pki/kubelet.key
clusterDNS: [$DNS]
clusterDomain: cluster.local
cgroupDriver: cgroupfs
cgroupRoot: /$GROUP
containerRuntimeEndpoint: unix://$DIR/containerd.sock
podLogsDir: $DIR/pods
failSwapOn: false
failCgroupV1: false                          # works on cgroup v1 machines too
featureGates: {KubeletInUserNamespace: true} # root without CAP_SYS_RESOURCE
resolvConf: /dev/null
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
Y
  cat >"$DIR/proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $POD_RANGE
hostnameOverride: node
clientConnection: {kubeconfig: $DIR/admin.conf}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
Y
}

start_dns() {
  sed "s/DNS_ADDRESS/$DNS/" "$here/dns.yaml" | kubectl apply -f - >/dev/null
  kubectl -n kube-system rollout status deployment/coredns --timeout=60s >/dev/null || {
    kubectl -n kube-system describe pods >&2
    failed "DNS not ready after 60 s" kubelet
  }
}

cgroup_roots() { # one hierarchy (v2), or one for each controller (v1)
  local root
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; return 0; fi
  for root in /sys/fs/cgroup/*; do
    [ ! -e "$root/cgroup.procs" ] || [ -L "$root" ] || echo "$root"
  done
}

our_cgroups() { # deepest first
  local root
  for root in $(cgroup_roots); do
    [ ! -d "$root/$GROUP" ] || find "$root/$GROUP" -depth -type d
  done
}

make_cgroups() {
  local root
  for root in $(cgroup_roots); do mkdir -p "$root/$GROUP"; done
}

pids_in_cgroups() {
  local group
  our_cgroups | while read -r group; do cat "$group/cgroup.procs"; done | sort -u
}

# A control group is ours by its name, so all that runs in it is as well.
end_pods() {
  local pids try
  if running containerd; then
    ctr task ls -q | xargs -r -P 8 -n 1 "$(type -P ctr)" -a "$DIR/containerd.sock" -n k8s.io task rm -f >/dev/null 2>"$DIR/log/end-pods.log" ||
      say "some containers did not end by containerd: killed"
  fi
  for ((try = 0; try < 50; try++)); do
    pids=$(pids_in_cgroups; pids_of_shims)
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086  # split into ids
    kill -KILL $pids 2>/dev/null || :   # some ended by themselves; the next round tells
    sleep 0.05
  done
  [ -z "$pids" ] || die "processes of pods cannot be ended: ${pids//$'\n'/ }"
  remove_traces
}

# A shim names our containerd's socket in its arguments.
pids_of_shims() {
  local file arguments
  for file in /proc/[0-9]*/cmdline; do
    { mapfile -d '' -t arguments <"$file"; } 2>/dev/null || continue   # it may have ended in between
    [[ "${arguments[*]} " != *containerd-shim*" -address $DIR/containerd.sock "* ]] || basename "${file%/cmdline}"
  done
}

# What containerd, its shims, the kubelet and the network plugins leave in folders that cannot be configured.
remove_traces() {
  local link address result pod
  while read -r address; do
    rm -f "${address#unix://}"
  done < <(find "$DIR/containerd/state" -name address -exec awk 1 {} + 2>/dev/null)
  for result in /var/lib/cni/results/"$GROUP"-*-eth0; do
    pod=${result##*/"$GROUP"-}
    rm -f "$result" "/var/lib/cni/results/cni-loopback-${pod%-eth0}-lo"
  done
  for link in /var/log/containers/*; do
    [[ $(readlink "$link") != "$DIR"/* ]] || rm -f "$link"
  done
}

unmount_all() {
  local mount
  awk -v d="$DIR/" 'index($2, d) == 1 { print $2 }' /proc/mounts | tac | while read -r mount; do umount -l "$mount"; done
}

remove_cgroups() {
  local group try
  for ((try = 0; try < 20; try++)); do
    our_cgroups | while read -r group; do rmdir "$group" 2>/dev/null || :; done
    [ -n "$(our_cgroups)" ] || return 0
    sleep 0.1   # a control group lives until its last process is reaped
  done
  die "control groups cannot be removed: $(our_cgroups | tr '\n' ' ')"
}
