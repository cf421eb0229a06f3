#!/bin/sh
# Every file that a page names must be there.
set -eu
cd public
for page in *.html; do
  sed -n 's/.*\(href\|src\)="\([a-z][a-z./-]*\)".*/\2/p' "$page" | while read -r name; do
    [ -f "$name" ] || { echo "$page names $name, which is missing" >&2; exit 1; }
  done
done
echo ok
