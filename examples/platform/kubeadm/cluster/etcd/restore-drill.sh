#!/usr/bin/env bash
# Restores the newest snapshot on a machine outside of the cluster, starts etcd on
# it, and looks whether the cluster is in there. Nothing reaches it but this script.
#
# AGE_IDENTITY  file with the private key
# REMOTE        where snapshot.sh put them, such as store:acme-prod-etcd
set -euo pipefail
: "${AGE_IDENTITY:?the file with the private key of age}"
: "${REMOTE:?the remote of rclone and the bucket, such as store:acme-prod-etcd}"
etcdutl=${ETCDUTL:-etcdutl} # etcdctl, before etcd 3.5
export ETCDCTL_API=3
began=$(date +%s)

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || true; wait; rm -rf "$work"' EXIT
umask 077
cd "$work"

newest=$(rclone lsf "$REMOTE" | grep '\.db\.age$' | sort | tail -n 1 || true)
[ -n "$newest" ] || { echo "$REMOTE has no snapshot: look at etcd-snapshot.timer on the control planes" >&2; exit 1; }
rclone copyto "$REMOTE/$newest" "$newest"
age --decrypt --identity "$AGE_IDENTITY" --output snapshot.db "$newest"
"$etcdutl" snapshot restore snapshot.db --data-dir data > restore.log 2>&1 || { cat restore.log >&2; exit 1; }

# Sockets in this directory, no ports.
etcd --data-dir data --listen-client-urls unix://localhost:1 --advertise-client-urls unix://localhost:1 \
  --listen-peer-urls unix://localhost:2 > etcd.log 2>&1 &
server=$!
until etcdctl --endpoints unix://localhost:1 endpoint health > /dev/null 2>&1; do
  kill -0 "$server" 2> /dev/null || { cat etcd.log >&2; exit 1; }
done
keys=$(etcdctl --endpoints unix://localhost:1 get /registry/ --prefix --keys-only | grep -c . || true)
etcdctl --endpoints unix://localhost:1 get /registry/namespaces/kube-system --keys-only | grep . > /dev/null ||
  { echo "$newest has no namespace kube-system: it is no snapshot of a cluster" >&2; exit 1; }

echo "| | |"
echo "|---|---|"
echo "| Snapshot | \`$newest\` |"
echo "| Objects | $keys |"
echo "| Time | $(($(date +%s) - began)) s |"
