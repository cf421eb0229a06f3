#!/usr/bin/env bash
# Restores the newest backup of the applications into a namespace of its own,
# waits until they run there, says how long that took, and clears it away.
#
#   NAMESPACE=production platform/backups/restore-drill.sh
#
# In:  NAMESPACE      whose backup is restored
#      INTO           where to (restore-drill); has to be empty
#      SCHEDULE       of which schedule (critical)
#      LIMIT_SECONDS  how long it may take (1800); longer fails
#      POLL_SECONDS   between looks (10)
# Out: Markdown on standard output, words on standard error. Exit 1 when
#      anything did not come back, or not in time.
#
# It may read backups and make restores in velero, and do as it likes in INTO;
# it needs nothing of NAMESPACE itself.
set -euo pipefail
: "${NAMESPACE:?whose backup is restored}"
INTO=${INTO:-restore-drill} SCHEDULE=${SCHEDULE:-critical} LIMIT_SECONDS=${LIMIT_SECONDS:-1800} POLL_SECONDS=${POLL_SECONDS:-10}
KINDS=deployments,statefulsets,daemonsets,jobs,cronjobs,horizontalpodautoscalers,poddisruptionbudgets,services,persistentvolumeclaims
RESTORE=drill-$(date -u +%Y%m%d-%H%M%S)
say() { printf '%s\n' "$*" >&2; }
fail() { say "restore drill: $*"; exit 1; }

backup=$(kubectl -n velero get backups.velero.io -l "velero.io/schedule-name=$SCHEDULE" --sort-by=.status.completionTimestamp \
  -o jsonpath='{range .items[?(@.status.phase=="Completed")]}{.metadata.name} {.status.completionTimestamp}{"\n"}{end}' | tail -n 1)
[ -n "$backup" ] || fail "the schedule $SCHEDULE has no completed backup: look at kubectl -n velero get backups.velero.io"
read -r name completed <<< "$backup"

left=$(kubectl -n "$INTO" get "$KINDS" -o name)
[ -z "$left" ] || fail "$INTO is not empty; clear it first: $left"
clear_away() {
  kubectl -n "$INTO" delete "$KINDS" --all --ignore-not-found --wait=false >&2 || say "restore drill: $INTO is not cleared"
  # what the backup held beside them; what the namespace has from git stays
  kubectl -n "$INTO" delete configmaps,secrets,serviceaccounts -l "velero.io/restore-name=$RESTORE" --ignore-not-found --wait=false >&2 || true
}
trap clear_away EXIT

say "restore $name ($completed) of $NAMESPACE into $INTO"
begin=$(date +%s)
kubectl create -f - >&2 <<Y
apiVersion: velero.io/v1
kind: Restore
metadata: {name: $RESTORE, namespace: velero}
spec:
  backupName: $name
  includedNamespaces: [$NAMESPACE]
  namespaceMapping: {$NAMESPACE: $INTO}
  includeClusterResources: false
  # Nothing that speaks to the world, or that the namespace has of its own.
  excludedResources:
    - ingresses.networking.k8s.io
    - httproutes.gateway.networking.k8s.io
    - certificates.cert-manager.io
    - certificaterequests.cert-manager.io
    - orders.acme.cert-manager.io
    - challenges.acme.cert-manager.io
    - externalsecrets.external-secrets.io
    - servicemonitors.monitoring.coreos.com
    - networkpolicies.networking.k8s.io
    - resourcequotas
    - limitranges
    - rolebindings.rbac.authorization.k8s.io
    - cronjobs.batch
    - jobs.batch
  restorePVs: true
Y
passed() { echo $(($(date +%s) - begin)); }
while :; do
  phase=$(kubectl -n velero get "restores.velero.io/$RESTORE" -o jsonpath='{.status.phase}')
  case $phase in
    Completed) break ;;
    PartiallyFailed | Failed | FailedValidation | FinalizingPartiallyFailed) fail "$RESTORE: $phase; velero restore logs $RESTORE says why" ;;
  esac
  [ "$(passed)" -lt "$LIMIT_SECONDS" ] || fail "$RESTORE is $phase after $LIMIT_SECONDS s"
  sleep "$POLL_SECONDS"
done
restored=$(passed)

workloads=$(kubectl -n "$INTO" get deployments,statefulsets -o name)
[ -n "$workloads" ] || fail "$name has no workload of $NAMESPACE"
for workload in $workloads; do
  rest=$((LIMIT_SECONDS - $(passed)))
  if [ "$rest" -le 0 ] || ! kubectl -n "$INTO" rollout status "$workload" --timeout="${rest}s" >&2; then
    fail "$workload does not run $LIMIT_SECONDS s after the restore began"
  fi
done
running=$(passed)

items=$(kubectl -n velero get "restores.velero.io/$RESTORE" -o jsonpath='{.status.progress.itemsRestored}')
age=$(((begin - $(date -d "$completed" +%s)) / 60))
cat <<M
## Restore drill: $NAMESPACE

| | |
|---|---|
| Backup | \`$name\`, $age minutes old when the drill began: what would have been lost |
| Objects restored | ${items:-unknown} |
| Workloads running | $(wc -w <<< "$workloads") |
| Restored after | $restored s |
| Running after | $running s, of $LIMIT_SECONDS s allowed |
M
