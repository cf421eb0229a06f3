#!/usr/bin/env bash
# Writes the digests of the images that the platform takes from the mirror. Each stands in a
# line that ends with the image as its project has it, by tag:
#
#   tag: v1.2.3@sha256:… # quay.io/org/image:v1.2.3
#
#   bash platform/images.sh           asks for every digest, and writes those that changed
#   bash platform/images.sh --check   asks nothing, and fails where one is missing
#
# After a chart's new version, write its images' new tags into both places of their lines, and
# run this again. Needs crane, with a login to registries that want one.
set -euo pipefail
cd "$(dirname "$0")"
none=sha256:$(printf '0%.0s' {1..64})
line='sha256:[0-9a-f]{64}"?( #| *#) [^ ]+:[^ ]+$'
mapfile -t files < <(grep -lrE "$line" --include='*.yaml' .)
if [ "${1:-}" = --check ]; then
  if grep -Hn "$none" "${files[@]}"; then
    echo "these images have no digest yet: run bash platform/images.sh" >&2
    exit 1
  fi
  exit 0
fi
changed=0
while read -r image; do
  digest=$(crane digest -- "$image") || { echo "no digest of $image: nothing more was written" >&2; exit 1; }
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "$image: the registry answered $digest" >&2; exit 1; }
  for file in "${files[@]}"; do
    grep -qF "# $image" "$file" || continue
    while IFS= read -r text || [ -n "$text" ]; do
      if [[ $text == *"# $image" && $text =~ sha256:[0-9a-f]{64} ]]; then
        text=${text/"${BASH_REMATCH[0]}"/"$digest"}
      fi
      printf '%s\n' "$text"
    done < "$file" > "$file.part"
    if cmp -s "$file" "$file.part"; then
      rm "$file.part"
    else
      mv "$file.part" "$file"
      changed=$((changed + 1))
      echo "$file: $image@$digest"
    fi
  done
done < <(grep -hrE "$line" "${files[@]}" | sed 's/.*# //' | sort -u)
echo "$changed changed" >&2
