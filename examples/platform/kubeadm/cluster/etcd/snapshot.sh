#!/usr/bin/env bash
# Takes a snapshot of etcd on a control plane, and ships it off the cluster. A
# snapshot holds every Secret, so it leaves the machine encrypted, to a key whose
# other half is not on it (age-keygen).
#
# AGE_RECIPIENT  the public key
# REMOTE         where rclone puts it, such as store:acme-prod-etcd
set -euo pipefail
: "${AGE_RECIPIENT:?the public key of age that snapshots are encrypted to}"
: "${REMOTE:?the remote of rclone and the bucket, such as store:acme-prod-etcd}"
endpoint=${ENDPOINT:-https://127.0.0.1:2379}
pki=${PKI:-/etc/kubernetes/pki/etcd}
etcdutl=${ETCDUTL:-etcdutl} # etcdctl, before etcd 3.5
export ETCDCTL_API=3

login=()
case $endpoint in https:*) login=(--cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" --key "$pki/healthcheck-client.key") ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

etcdctl --endpoints "$endpoint" "${login[@]}" snapshot save "$work/snapshot.db" > /dev/null
"$etcdutl" snapshot status "$work/snapshot.db" > "$work/status"
name=$(date -u +%Y%m%dT%H%M%SZ)-$(hostname).db.age
age --encrypt --recipient "$AGE_RECIPIENT" --output "$work/$name" "$work/snapshot.db"
rclone copyto "$work/$name" "$REMOTE/$name"
echo "$REMOTE/$name: $(cat "$work/status")"
