#!/bin/bash
# Measures how long it takes from the decision to roll back until the cluster has the
# earlier digest, with a real Argo CD and the application that `waybill init config` writes.
#
#   scripts/measure-rollback.sh
#
# Two ways back are measured, in turn: `waybill rollback --direct` and `git revert` by hand,
# each followed by a push. And two ways in which Argo CD hears of the push: by its own look
# at git (poll), and by a refresh as a webhook or a person asks for it (refresh). The pushes
# of poll are spread over the time between two looks.
#
# The time begins before the first command and ends when the Deployment names the earlier
# digest. Where the cluster has nodes that run pods (PODS=1), it ends when the rollout of
# that digest is complete.
#
# KUBECONFIG  a cluster to throw away, with Argo CD in the namespace argocd
# REMOTE      URL of an empty git repository that this script may push to. Credentials belong
#             into git's credential helper: a URL is seen in the list of processes
# REMOTE_READ the same, as Argo CD reads it; REMOTE if empty
# IMAGE_A, IMAGE_B  two images by digest of one repository, which the cluster can pull;
#             if empty, two empty ones in a registry that this script serves on loopback
# ROUNDS      of each (5)
# INTERVAL    seconds between two looks of Argo CD at git (30), as platform/argocd/values.yaml
#             has it: it spreads the pushes, and sets nothing
# LIMIT       seconds that no round may take (120)
# PODS        1 to wait for the pods
# WAYBILL, CRDS  bin/waybill and bin/tools/crds.yaml, which `make build tools` makes
#
# Needs kubectl, git, jq, and crane where it serves the images.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
WAYBILL=${WAYBILL:-$root/bin/waybill} CRDS=${CRDS:-$root/bin/tools/crds.yaml}
ROUNDS=${ROUNDS:-5} INTERVAL=${INTERVAL:-30} LIMIT=${LIMIT:-120} PODS=${PODS:-0}
IMAGE_A=${IMAGE_A:-} IMAGE_B=${IMAGE_B:-}
PATH=$root/bin/tools:$PATH
for name in KUBECONFIG REMOTE; do
  [ -n "${!name:-}" ] || { echo "$name is not set: the head of $0 says what it is" >&2; exit 2; }
done
REMOTE_READ=${REMOTE_READ:-$REMOTE}
work=$(mktemp -d)
registry=
cleanup() {
  [ -z "$registry" ] || kill "$registry" 2> /dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
cp "$KUBECONFIG" "$work/kubeconfig"
export KUBECONFIG=$work/kubeconfig
export GIT_AUTHOR_NAME=measure GIT_AUTHOR_EMAIL=m@example.com GIT_COMMITTER_NAME=measure GIT_COMMITTER_EMAIL=m@example.com
export GIT_TERMINAL_PROMPT=0
now() { date +%s%3N; }

serve_images() {
  local n
  crane registry serve --address 127.0.0.1:0 > "$work/registry.log" 2>&1 &
  registry=$!
  for n in {1..100}; do
    port=$(sed -n "s/.*serving on port \([0-9]*\).*/\1/p" "$work/registry.log")
    [ -z "$port" ] || break
    sleep 0.1
  done
  [ -n "$port" ] || { echo "the registry did not start:" >&2; cat "$work/registry.log" >&2; exit 1; }
  for n in A B; do
    mkdir "$work/$n"
    echo "$n" > "$work/$n/which"
    tar -C "$work/$n" -cf "$work/$n.tar" which
    printf -v "IMAGE_$n" %s "$(crane append --oci-empty-base --new_layer "$work/$n.tar" --new_tag "127.0.0.1:$port/acme/backend:$n" 2> /dev/null)"
  done
}
[ -n "$IMAGE_A" ] || serve_images
repository=${IMAGE_A%@*} digest_a=${IMAGE_A#*@} digest_b=${IMAGE_B#*@}
if [ "$repository" != "${IMAGE_B%@*}" ] || [ "$digest_a" = "$digest_b" ]; then
  echo "IMAGE_A and IMAGE_B must be two digests of one repository" >&2
  exit 2
fi

# The repository that init writes, whose dev takes what stands in main by itself. No evidence is
# asked for: the images have none.
mkdir "$work/config"
cd "$work/config"
git init --quiet --initial-branch=main
"$WAYBILL" init config --owner acme --platform kubernetes --registry "${repository%/*}" > /dev/null 2>&1
overlay=apps/backend/overlays/dev/kustomization.yaml
sed -i 's/require: \[.*\]/require: []/' waybill.yaml
sed -i -e "s|newName: .*|newName: $repository|" -e "s|digest: .*|digest: $digest_a|" "$overlay"
sed -i "s|image: .*/backend\$|image: $repository|" waybill.yaml
git add --all
git commit --quiet -m "backend: the earlier digest"
git remote add origin "$REMOTE"
git push --quiet --force origin main

kubectl apply --server-side --force-conflicts -f "$CRDS" > /dev/null
kubectl create namespace shop --dry-run=client -o yaml | kubectl apply --server-side -f - > /dev/null
kubectl kustomize clusters/dev | kubectl create --dry-run=client -o json -f - |
  jq --arg url "$REMOTE_READ" 'select(.kind == "AppProject" and .metadata.name == "applications" or .kind == "Application" and .metadata.name == "backend") |
    if .kind == "AppProject" then .spec.sourceRepos = [$url] else .spec.source.repoURL = $url end' > "$work/argocd.json"
[ -s "$work/argocd.json" ] || { echo "init writes no Application backend" >&2; exit 1; }
kubectl apply --server-side --force-conflicts -f "$work/argocd.json" > /dev/null

refresh() { kubectl annotate application backend --namespace argocd argocd.argoproj.io/refresh=normal --overwrite > /dev/null; }
runs() { [[ $(kubectl get deployment backend --namespace shop -o 'jsonpath={.spec.template.spec.containers[0].image}' 2> /dev/null) == *"$1" ]]; }
wait_for() { # DIGEST: until the cluster has it
  local until=$((SECONDS + 10 * LIMIT))
  until runs "$1"; do
    [ $SECONDS -lt $until ] || { echo "the cluster did not get $1:" >&2; kubectl get application backend --namespace argocd -o json | jq .status >&2; exit 1; }
    sleep 0.2
  done
  [ "$PODS" != 1 ] || kubectl rollout status deployment/backend --namespace shop --timeout="${LIMIT}s" > /dev/null
}

# deploy DIGEST, which is not measured.
deploy() {
  sed -i "s|digest: .*|digest: $1|" "$overlay"
  git commit --quiet --all --allow-empty -m "backend: $1"
  git push --quiet origin main
  refresh
  wait_for "$1"
}

worst=0
measure() { # WAY HEARD
  local way=$1 heard=$2 round begun took all=()
  for ((round = 0; round < ROUNDS; round++)); do
    # A digest that was rolled back from is held, and a hold is lifted by a person.
    rm -rf .waybill/holds
    git add --all
    git diff --cached --quiet || git commit --quiet -m "Lift"
    deploy "$digest_a"
    deploy "$digest_b"
    [ "$heard" = refresh ] || sleep "$(awk -v i="$round" -v n="$ROUNDS" -v t="$INTERVAL" 'BEGIN { print t * (i + 0.5) / n }')"
    begun=$(now)
    case $way in
      waybill) "$WAYBILL" rollback --app backend --env dev --dir . --direct --reason measured > /dev/null 2>&1 ;;
      revert) git revert --no-edit HEAD > /dev/null ;;
    esac
    git push --quiet origin main
    [ "$heard" = poll ] || refresh
    wait_for "$digest_a"
    took=$(($(now) - begun))
    all+=("$took")
    [ "$took" -le "$worst" ] || worst=$took
  done
  printf '%s\n' "${all[@]}" | sort -n | awk -v name="$way, $heard" \
    '{ v[NR] = $1 / 1000 } END { printf "%-16s %2d rounds: %5.1f s to %5.1f s, median %5.1f s\n", name, NR, v[1], v[NR], v[int((NR + 1) / 2)] }'
}

deploy "$digest_b" # the first sync makes everything else
for way in waybill revert; do
  for heard in poll refresh; do measure "$way" "$heard"; done
done
end="the Deployment names the earlier digest"
[ "$PODS" != 1 ] || end="the rollout of the earlier digest is complete"
if [ "$worst" -gt $((LIMIT * 1000)) ]; then
  echo "FAIL: a round took more than $LIMIT s until $end" >&2
  exit 1
fi
echo "PASS: at most $((worst / 1000 + 1)) s until $end"
