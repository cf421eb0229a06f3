#!/bin/bash
# Proves on a cluster what `waybill init config` writes: its API server is asked, by a
# dry run, for every object of every cluster of a choice, and for the pods of every
# workload, under the admission policies and namespaces of that choice.
#
#   scripts/prove-platform.sh [PLATFORM/INGRESS/SECRETS[/FLEET[/MIRROR]] ...]
#
# KUBECONFIG  a cluster to throw away; an API server that allows privileged pods, with its
#             controller manager, is enough
# CHARTS      a directory with each chart by its name; without it, helm pulls the charts
# WAYBILL, CRDS  bin/waybill and bin/tools/crds.yaml, which `make build tools` makes
#
# Needs kubectl, helm and jq. Definitions, namespaces and admission policies are really
# applied; nothing else is.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
WAYBILL=${WAYBILL:-$root/bin/waybill} CRDS=${CRDS:-$root/bin/tools/crds.yaml} CHARTS=${CHARTS:-}
PATH=$root/bin/tools:$PATH
[ -n "${KUBECONFIG:-}" ] || { echo "KUBECONFIG is not set: name a cluster to throw away" >&2; exit 2; }
choices=("$@")
[ $# -gt 0 ] || choices=(
  aws/traefik/aws aws/gateway/sealed aws/alb/vault aws/nginx/aws
  kubernetes/traefik/sealed kubernetes/gateway/vault kubernetes/nginx/sealed
  kubeadm/traefik/vault kubeadm/gateway/sealed kubeadm/nginx/vault
  aws/traefik/aws/hub/mirror.example/cache kubernetes/gateway/sealed/hub kubeadm/nginx/vault/each/mirror.example/cache
)
work=$(mktemp -d)
cp "$KUBECONFIG" "$work/kubeconfig"
export KUBECONFIG=$work/kubeconfig
trap 'rm -rf "$work"' EXIT
export GIT_AUTHOR_NAME=prove GIT_AUTHOR_EMAIL=p@example.com GIT_COMMITTER_NAME=prove GIT_COMMITTER_EMAIL=p@example.com
failed=0

# judge NAME FILE NAMESPACE: the server takes every object of a file.
judge() {
  local said
  kubectl config set-context --current --namespace "$3" > /dev/null # for objects that name none
  if said=$(kubectl apply --server-side --force-conflicts --dry-run=server --validate=strict -f "$2" 2>&1); then
    echo "PASS $1: $(grep -c 'server dry run' <<< "$said" || true) objects"
  else
    failed=1
    echo "FAIL $1"
    grep -v 'server dry run' <<< "$said" | cut -c 1-400 | head -n 20
    return 1
  fi
}

# pods NAME FILE NAMESPACE, after judge: the pods that workloads of a file would make, with the
# service account and the priority of nobody.
pods() {
  { kubectl apply --server-side --force-conflicts --dry-run=server -f "$2" -o json 2> /dev/null || true; } |
    jq -c '(.items // [.])[] | select(.kind | IN("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")) |
      .metadata as $m | ((.spec.volumeClaimTemplates // []) | map({name: .metadata.name, emptyDir: {}})) as $claims |
      (.spec.jobTemplate.spec.template // .spec.template) |
      {apiVersion: "v1", kind: "Pod", metadata: {name: $m.name, namespace: $m.namespace, labels: .metadata.labels},
       spec: (.spec | del(.serviceAccountName, .serviceAccount, .priorityClassName, .priority) | .volumes = ((.volumes // []) + $claims))}' > "$work/pods.json"
  [ ! -s "$work/pods.json" ] || judge "$1, its pods" "$work/pods.json" "$3"
}

# chart NAME VERSION REPOSITORY: where the chart is.
chart() {
  if [ -n "$CHARTS" ]; then
    echo "$CHARTS/$1"
  else
    [ -d "$work/charts/$1-$2" ] || case $3 in
      https://*) helm pull "$1" --repo "$3" --version "$2" --untar --untardir "$work/charts/$1-$2" ;;
      *) helm pull "oci://$3/$1" --version "$2" --untar --untardir "$work/charts/$1-$2" ;;
    esac >&2
    echo "$work/charts/$1-$2/$1"
  fi
}

# helm_source CHOICE APPLICATION-AS-JSON: the chart takes its values, and the server
# takes what comes of it.
helm_source() {
  local name namespace release values=() served file out judged
  read -r name namespace release < <(jq -r '[.metadata.name, .spec.destination.namespace, (.spec.sources[0].helm.releaseName // .metadata.name)] | join(" ")' <<< "$2")
  while read -r file; do values+=(--values "$PWD/${file#\$values/}"); done < <(jq -r '.spec.sources[0].helm.valueFiles[]' <<< "$2")
  out=$work/$name.yaml
  # As Argo CD does: the chart is told what the cluster serves.
  mapfile -t served < <(kubectl api-resources --no-headers | awk '{ print "--api-versions=" $(NF-2) "/" $NF; print "--api-versions=" $(NF-2) }' | sort -u)
  # shellcheck disable=SC2046
  if ! helm template "$release" "$(chart $(jq -r '.spec.sources[0] | [.chart, .targetRevision, .repoURL] | join(" ")' <<< "$2"))" \
    --namespace "$namespace" --include-crds --no-hooks --kube-version 1.36.0 \
    "${served[@]}" "${values[@]}" > "$out" 2> "$work/helm.err"; then
    failed=1
    echo "FAIL $1: chart of $name"
    head -n 5 "$work/helm.err"
    return
  fi
  [ -s "$out" ] || return 0
  judged=$work/judged-$(cat "$out" "$work/admission.yaml" | sha256sum | cut -c 1-64)
  if [ -e "$judged" ]; then
    echo "PASS $1: chart of $name, the same as in another choice"
    return
  fi
  # Definitions are applied, so that what uses them can be judged.
  awk 'BEGIN { RS = "\n---\n" } /(^|\n)kind: CustomResourceDefinition/ { printf "---\n%s\n", $0 }' "$out" > "$work/crds.yaml"
  if [ -s "$work/crds.yaml" ]; then
    kubectl apply --server-side --force-conflicts -f "$work/crds.yaml" > /dev/null
    kubectl wait --for=condition=Established --timeout=60s -f "$work/crds.yaml" > /dev/null
  fi
  judge "$1: chart of $name" "$out" "$namespace" && pods "$1: chart of $name" "$out" "$namespace" && touch "$judged"
}

prove() {
  local choice=$1 platform ingress secrets fleet mirror env app dir namespace
  IFS=/ read -r platform ingress secrets fleet mirror <<< "$choice" # the mirror may hold slashes
  mkdir "$work/config"
  cd "$work/config"
  git init --quiet --initial-branch=main
  "$WAYBILL" init config --owner acme --platform "$platform" --ingress "$ingress" --secrets "$secrets" \
    --fleet "${fleet:-each}" --mirror "$mirror" > /dev/null 2>&1
  git add --all
  git commit --quiet -m Begin
  if "$WAYBILL" check --dir . > "$work/check.out" 2>&1; then
    echo "PASS $choice: waybill check"
  else
    failed=1
    echo "FAIL $choice: waybill check"
    cat "$work/check.out"
  fi
  kubectl delete validatingadmissionpolicybindings,validatingadmissionpolicies --all > /dev/null
  for env in dev staging prod; do
    kubectl apply --server-side --force-conflicts -k "clusters/$env/namespaces" > /dev/null
  done
  kubectl kustomize platform/admission > "$work/admission.yaml"
  judge "$choice: admission" "$work/admission.yaml" default || true
  kubectl apply --server-side --force-conflicts -k platform/admission > /dev/null
  for env in dev staging prod; do
    kubectl kustomize "clusters/$env" > "$work/cluster.yaml"
    judge "$choice: clusters/$env" "$work/cluster.yaml" argocd || true
    kubectl apply --server-side --force-conflicts --dry-run=server -f "$work/cluster.yaml" -o json |
      jq -c '.items[] | select(.kind == "Application")' > "$work/applications-$env"
    while read -r app; do
      for dir in $(jq -r '(.spec.sources // [.spec.source])[] | select(.path) | .path' <<< "$app"); do
        if [ -f "$dir/kustomization.yaml" ]; then
          kubectl kustomize "$dir" > "$work/unit.yaml"
        else # the chart of an application
          mapfile -t files < <(jq -r --arg dir "$dir" '(.spec.sources // [.spec.source])[] | select(.path == $dir) | .helm.valueFiles[]? | "--values=" + $dir + "/" + .' <<< "$app")
          helm template "$(jq -r .metadata.name <<< "$app")" "$dir" "${files[@]}" > "$work/unit.yaml"
        fi
        namespace=$(jq -r .spec.destination.namespace <<< "$app")
        if judge "$choice: $env: $dir" "$work/unit.yaml" "$namespace"; then
          pods "$choice: $env: $dir" "$work/unit.yaml" "$namespace" || true
        fi
      done
    done < "$work/applications-$env"
  done
  while read -r app; do helm_source "$choice" "$app" || true; done < <(jq -c 'select(.spec.sources[0].chart?)' "$work/applications-prod")
  cd "$root"
  rm -rf "$work/config"
}

kubectl apply --server-side --force-conflicts -f "$CRDS" > /dev/null
kubectl wait --for=condition=Established --timeout=60s -f "$CRDS" > /dev/null
for choice in "${choices[@]}"; do prove "$choice"; done
if [ "$failed" != 0 ]; then
  echo "FAIL: see above" >&2
  exit 1
fi
echo "PASS everything"
