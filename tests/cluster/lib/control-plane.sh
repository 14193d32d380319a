# shellcheck shell=bash disable=SC2154,SC2153  # variables of ../cluster
# Keys, etcd, API server and controllers.

make_keys() {
  mkdir "$DIR/pki"
  chmod 700 "$DIR/pki"
  (
    cd "$DIR/pki"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 365 -subj /CN=test-cluster-ca
    sign apiserver /CN=kube-apiserver "IP:$NODE,IP:$API_VIP,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
    sign admin /O=system:masters/CN=admin
    sign kubelet /O=system:nodes/CN=system:node:node "IP:$NODE,DNS:node"
    sign aggregator /CN=aggregator
    openssl genrsa -out sa.key 2048
    openssl rsa -in sa.key -pubout -out sa.pub
  ) >"$DIR/log/openssl.log" 2>&1 || failed "cannot make the keys" openssl
  kubeconfig admin
  kubeconfig kubelet
}

sign() { # name, subject, [subject alternative names]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out "$1.crt" \
    -extfile <(printf '%s\nextendedKeyUsage=serverAuth,clientAuth\n' "${3:+subjectAltName=$3}")
}

# Keys are embedded, so that the file can be copied and used from anywhere.
kubeconfig() { # user
  local pki=$DIR/pki
  (
    umask 077
    cat >"$DIR/$1.conf" <<Y
apiVersion: v1
kind: Config
clusters:
- name: $NAME
  cluster: {server: "https://$NODE:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}
contexts:
- name: $NAME
  context: {cluster: $NAME, user: $1}
current-context: $NAME
Y
  )
}

start_control_plane() {
  local pki=$DIR/pki admin=$DIR/admin.conf
  spawn etcd "$KUBE" etcd --name node --data-dir "$DIR/etcd" --log-level warn --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster node=http://127.0.0.1:2380
  spawn apiserver "$KUBE" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NODE" --secure-port=6443 \
    --service-cluster-ip-range="$SERVICE_RANGE" --authorization-mode=Node,RBAC --allow-privileged --kubelet-preferred-address-types=InternalIP \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-signing-key-file="$pki/sa.key" --service-account-key-file="$pki/sa.pub" \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" --kubelet-certificate-authority="$pki/ca.crt" \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=aggregator --requestheader-username-headers=X-Remote-User \
    --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/aggregator.crt" --proxy-client-key-file="$pki/aggregator.key" --enable-aggregator-routing
  wait_for 60 apiserver "API server" kubectl get --raw /readyz
  spawn controllers "$KUBE" kube-controller-manager --kubeconfig="$admin" --authentication-kubeconfig="$admin" --authorization-kubeconfig="$admin" \
    --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" --cluster-signing-cert-file="$pki/ca.crt" \
    --cluster-signing-key-file="$pki/ca.key" --use-service-account-credentials --leader-elect=false --bind-address=127.0.0.1
  wait_for 30 controllers "default ServiceAccount" kubectl -n default get serviceaccount default
}
