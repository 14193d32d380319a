# shellcheck shell=bash disable=SC2154,SC2153  # variables of ../cluster
# One network namespace, joined to the machine by a pair of interfaces and two routes.

network_is_free() {
  [ ! -e "/run/netns/$NAME" ] || die "a network namespace $NAME exists already; choose another CLUSTER_NAME"
  [ ! -e "/sys/class/net/$NAME-h" ] || die "a network interface $NAME-h exists already; choose another CLUSTER_NAME"
  local taken
  taken=$(ip -4 route show root "10.$NET.0.0/16")
  [ -z "$taken" ] || die "10.$NET.0.0/16 is in use (${taken%%$'\n'*}); choose another CLUSTER_NET"
}

make_network() {
  ip netns add "$NAME"
  ip link add "$NAME-h" type veth peer name "$NAME-n" netns "$NAME"
  ip addr add "$HOST/24" dev "$NAME-h"
  ip link set "$NAME-h" up
  ip -n "$NAME" addr add "$NODE/24" dev "$NAME-n"
  ip -n "$NAME" link set "$NAME-n" up
  ip -n "$NAME" link set lo up
  ip -n "$NAME" route add default via "$HOST"
  ip netns exec "$NAME" sysctl -qw net.ipv4.ip_forward=1
  ip route add "$POD_RANGE" via "$NODE"
  ip route add "$SERVICE_RANGE" via "$NODE"
}

# The routes go with the interface.
remove_network() {
  [ ! -e "/sys/class/net/$NAME-h" ] || ip link del "$NAME-h"
  [ ! -e "/run/netns/$NAME" ] || ip netns del "$NAME"
}

# Pods behind one bridge reach a Service's address only if bridged packets pass iptables.
check_bridge_filter() {
  local switch=/proc/sys/net/bridge/bridge-nf-call-iptables
  [ -e $switch ] || modprobe br_netfilter || die "the kernel module br_netfilter is missing: Services cannot work"
  ip netns exec "$NAME" sysctl -qw net.bridge.bridge-nf-call-iptables=1
}
