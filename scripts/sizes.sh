#!/usr/bin/env bash
# Size (stripped, and compressed as a release is), start-up time (best of 20)
# and number of linked modules of each binary.
set -euo pipefail
cd "$(dirname "$0")/.."
printf '%-16s %8s %12s %10s %8s\n' binary MB 'MB gzipped' 'start ms' modules
for name in waybill waybill-scan waybill-sandbox sigstore-kms-waybill; do
  bin=bin/$name
  size=$(stat -c %s "$bin")
  packed=$(gzip -c "$bin" | wc -c)
  best=
  for _ in {1..20}; do
    begin=$(date +%s%N)
    "$bin" --version > /dev/null
    took=$(($(date +%s%N) - begin))
    if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
  done
  modules=$(go version -m "$bin" | grep -c $'^\tdep\t')
  awk -v n="$name" -v s="$size" -v p="$packed" -v t="$best" -v m="$modules" \
    'BEGIN { printf "%-16s %8.1f %12.1f %10.1f %8d\n", n, s / 1e6, p / 1e6, t / 1e6, m }'
done
