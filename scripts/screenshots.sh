#!/usr/bin/env bash
# Makes docs/screenshots: a promotion's pull request, the plan's comment and the
# status page of a delivery in the rehearsal. It types what docs/rehearsal.md tells
# newcomers to type, then takes the pictures, light and dark. The texts are
# Waybill's, rendered by GitHub's own cmark-gfm, in a frame of this script.
#
# Needs: make build tools-demo; terraform; the Debian packages chromium, cmark-gfm,
# pngquant and fonts-noto-color-emoji.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in chromium cmark-gfm pngquant terraform; do
  command -v "$tool" > /dev/null || { echo "$tool is not on PATH: install the package $tool" >&2; exit 1; }
done
work=$(mktemp -d)
out=$PWD/docs/screenshots
style=$PWD/scripts/screenshots.css
served=
# shellcheck disable=SC2317 # the trap calls it
end() {
  if [ -n "$served" ]; then kill "$served" || true; wait "$served" || true; fi
  rm -rf "$work"
}
trap end EXIT

# blocks NAME: what the guide says to type.
blocks() {
  awk -v name="<!-- guide: $1 -->" '$0 == name { on = 1; next } on && /^```sh/ { text = 1; next } /^```/ { on = text = 0 } text' \
    docs/rehearsal.md | sed "s|/tmp/rehearsal|$work/rehearsal|g"
}

bin/waybill-sandbox serve --delivery --dir "$work/rehearsal" > "$work/serve.log" 2>&1 &
served=$!
mkdir "$work/home"
printf '[user]\n\tname = Ada\n\temail = ada@example.com\n' > "$work/home/.gitconfig"
# shellcheck disable=SC2016 # the guide's shell expands them
{
  blocks deliver | sed "s|cd \"\$(mktemp -d)\"|cd '$work'|"
  echo "waybill-sandbox pulls acme/config --body 1 > '$work/pull.md'"
  echo "git -C config pull -q origin main"
  echo "waybill status --dir config --format html > '$work/status.html'"
  blocks gate
  echo "waybill-sandbox pulls acme/infra --comments 1 > '$work/plan.md'"
} > "$work/guide.sh"
GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE) HOME=$work/home bash -euo pipefail "$work/guide.sh" > "$work/guide.log" 2>&1 \
  || { tail -n 40 "$work/guide.log" >&2; exit 1; }

# page TITLE FILE: a text of GitHub's Markdown in the frame.
page() {
  printf '<!doctype html><meta charset="utf-8"><style>%s</style><h1>%s</h1><main>' "$(cat "$style")" "$1"
  cmark-gfm --unsafe -e table -e strikethrough -e autolink -e tasklist -e tagfilter "$2"
  printf '</main>\n'
}
# One comment of the plan's, with what it folds away open; and the address of the
# rehearsal's registry, which is another one each time.
sed -i -n '/^---$/q; p' "$work/plan.md"
sed -i 's#<details>#<details open>#' "$work"/{pull,plan}.md
sed -i -E 's#127\.0\.0\.1:[0-9]+/#ghcr.io/#g' "$work"/{pull,plan}.md "$work/status.html"
page 'backend: dev → staging' "$work/pull.md" > "$work/pull.html"
page 'Another network' "$work/plan.md" > "$work/plan.html"

mkdir -p "$out"
for name in pull:760 plan:570 status:640; do
  height=${name#*:} name=${name%:*}
  for scheme in light dark; do
    # Blink's names of colour schemes: 0 is dark, 1 is light.
    HOME=$work/home chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="960,$height" \
      --blink-settings="preferredColorScheme=$([ "$scheme" = dark ] && echo 0 || echo 1)" \
      --screenshot="$work/$name-$scheme.png" "file://$work/$name.html" > "$work/chromium.log" 2>&1 || { cat "$work/chromium.log" >&2; exit 1; }
    pngquant --force --speed 1 --strip --output "$out/$name-$scheme.png" 64 "$work/$name-$scheme.png"
  done
done
ls -l "$out"
