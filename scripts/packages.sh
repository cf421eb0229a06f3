#!/usr/bin/env bash
# Installs the Debian packages that the integration tests use, where a command
# of theirs is missing: docker-registry (a real registry), runc and
# qemu-user-static (BuildKit with arm64), shellcheck; Node and Python, for the
# examples in these languages; what the machines of init's platform kubeadm run:
# HAProxy, keepalived, etcd, age; gh and jq, which the release and e2e use;
# openssl, which an action hashes with.
set -euo pipefail

missing=()
need() { # COMMAND PACKAGE
  PATH=$PATH:/usr/sbin:/sbin command -v "$1" > /dev/null || missing+=("$2")
}
need git git
need docker-registry docker-registry
need runc runc
need qemu-aarch64-static qemu-user-static
need shellcheck shellcheck
need haproxy haproxy
need keepalived keepalived
need etcd etcd-server
need etcdctl etcd-client
need age age
need node nodejs
need npm npm
need python3 python3
need gh gh
need jq jq
need openssl openssl

[ "${#missing[@]}" -gt 0 ] || exit 0
if ! command -v apt-get > /dev/null; then
  echo "missing: ${missing[*]}; tests that use them will be skipped" >&2
  exit 0
fi
sudo=
if [ "$(id -u)" != 0 ]; then
  sudo=$(command -v sudo) || { echo "missing: ${missing[*]}; install them as root" >&2; exit 0; }
fi
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# No service of theirs is wanted: the tests start their own, on loopback.
printf '#!/bin/sh\nexit 101\n' > /tmp/waybill-policy-rc.d
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  $sudo install -m 755 /tmp/waybill-policy-rc.d "$policy"
  trap '$sudo rm -f "$policy"' EXIT
fi
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
