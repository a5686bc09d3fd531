#!/bin/bash
# machine.sh FOLDER TOOLS CGROUP: process 1 of private namespaces that hold a whole one-node Kubernetes: etcd, API server,
# controllers, scheduler, kubelet, kube-proxy, containerd, CoreDNS, local-path storage. When it is killed all of it is gone.
# FOLDER is new; TOOLS has `kube`, `coredns.tar`, `pause.tar`, `busybox.tar`, `local-path-provisioner`; *.tar in
# FOLDER/images are made known to the node. FOLDER/READY appears at the end. The host keeps nothing but FOLDER.
set -eu
folder=$1 tools=$2 cgroup=$3
here=$(cd "$(dirname "$0")" && pwd)
kube=$tools/kube
address=10.99.0.1 port=26443 dns=10.43.0.10 pods=10.42.0.0/16 services=10.43.0.0/16
kubectl() { "$kube" kubectl --kubeconfig="$folder/admin.conf" "$@"; }
until_ok() { until "$@" >/dev/null 2>&1; do sleep 0.2; done; }
start() { local name=$1; shift; nohup "$@" >"$folder/log/$name.log" 2>&1 & }

# What would be left on the host lies in memory instead.
for path in /run /var/lib/cni /var/lib/kubelet /var/lib/local-path /var/log; do mkdir -p $path && mount -t tmpfs tmpfs $path; done
mkdir -p "$folder"/{pki,log,cni,containerd,kubelet,local-path}
mount --bind "$folder/local-path" /var/lib/local-path
hostname node1
ip link set lo up
ip link add node0 type veth peer name node0p
ip link set node0p up && ip link set node0 up && ip addr add $address/24 dev node0
ip route add default via 10.99.0.254 dev node0 # cluster addresses need one
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 || sysctl -qw net.ipv4.ip_forward=1
for controller in /sys/fs/cgroup/*/; do
  [ -w "$controller/cgroup.procs" ] || continue
  mkdir -p "$controller/$cgroup"
  for file in cpuset.cpus cpuset.mems; do
    if [ -f "$controller/$file" ]; then cat "$controller/$file" >"$controller/$cgroup/$file"; fi
  done
done

# Certificates: one authority, a client of each component, the API server itself.
cd "$folder/pki"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=kn-test-ca -days 30 2>/dev/null
openssl genrsa -out accounts.key 2048 2>/dev/null
certify() { # NAME SUBJECT EXTENSION
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" -extfile <(echo "$3") 2>/dev/null
}
certify apiserver /CN=kube-apiserver "subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:$address,IP:10.43.0.1"
client() { # NAME SUBJECT
  certify "$1" "$2" extendedKeyUsage=clientAuth
  local conf=$folder/$1.conf
  "$kube" kubectl config --kubeconfig="$conf" set-cluster c --server=https://$address:$port --certificate-authority=ca.crt --embed-certs >/dev/null
  "$kube" kubectl config --kubeconfig="$conf" set-credentials u --client-certificate="$1.crt" --client-key="$1.key" --embed-certs >/dev/null
  "$kube" kubectl config --kubeconfig="$conf" set-context c --cluster=c --user=u >/dev/null
  "$kube" kubectl config --kubeconfig="$conf" use-context c >/dev/null
}
client admin /O=system:masters/CN=admin
client kubelet-client /O=system:masters/CN=kubelet-client
client controllers /CN=system:kube-controller-manager
client scheduler /CN=system:kube-scheduler
client kubelet /O=system:nodes/CN=system:node:node1
client proxy /CN=system:kube-proxy

# The control plane.
start etcd "$kube" etcd --data-dir "$folder/etcd" --unsafe-no-fsync
start apiserver "$kube" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address=$address --advertise-address=$address \
  --secure-port=$port --tls-cert-file=apiserver.crt --tls-private-key-file=apiserver.key --client-ca-file=ca.crt \
  --kubelet-client-certificate=kubelet-client.crt --kubelet-client-key=kubelet-client.key --kubelet-preferred-address-types=InternalIP \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=accounts.key --service-account-signing-key-file=accounts.key \
  --authorization-mode=Node,RBAC --service-cluster-ip-range=$services --allow-privileged=true --endpoint-reconciler-type=lease
until_ok kubectl get --raw /readyz
start controllers "$kube" kube-controller-manager --kubeconfig="$folder/controllers.conf" --leader-elect=false --use-service-account-credentials \
  --root-ca-file=ca.crt --service-account-private-key-file=accounts.key --cluster-signing-cert-file=ca.crt --cluster-signing-key-file=ca.key \
  --allocate-node-cidrs --cluster-cidr=$pods --service-cluster-ip-range=$services --bind-address=127.0.0.1
start scheduler "$kube" kube-scheduler --kubeconfig="$folder/scheduler.conf" --leader-elect=false --bind-address=127.0.0.1

# The node.
cd "$folder"
sed "s|FOLDER|$folder|g" "$here/containerd.toml" >containerd.toml
sed "s|FOLDER|$folder|g; s|CGROUP|/$cgroup|; s|ADDRESS-OF-DNS|$dns|" "$here/kubelet.yaml" >kubelet.yaml
sed "s|FOLDER|$folder|g" "$here/cni.conflist" >cni/10-bridge.conflist
echo "nameserver $dns" >resolv.conf
start containerd containerd -c containerd.toml
until_ok ctr -a "$folder/containerd.sock" version
for image in "$tools"/*.tar images/*.tar; do
  if [ -f "$image" ]; then ctr -a "$folder/containerd.sock" -n k8s.io image import --no-unpack "$image" >/dev/null; fi
done
start kubelet "$kube" kubelet --config=kubelet.yaml --kubeconfig=kubelet.conf --root-dir="$folder/kubelet" --cert-dir=pki/kubelet \
  --hostname-override=node1 --node-ip=$address
start proxy "$kube" kube-proxy --kubeconfig=proxy.conf --proxy-mode=iptables --cluster-cidr=$pods --hostname-override=node1 \
  --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
until_ok kubectl wait --for=condition=Ready node --all --timeout=60s

# DNS and storage, and what they stand on.
kubectl apply -f "$here/addons.yaml" >/dev/null
start local-path "$tools/local-path-provisioner" start --kubeconfig "$folder/admin.conf" --namespace local-path-storage \
  --config "$here/local-path.json"
until_ok kubectl -n default get serviceaccount default
kubectl -n kube-system rollout status deployment/coredns --timeout=120s >/dev/null
touch READY
exec sleep infinity
