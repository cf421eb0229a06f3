#!/usr/bin/env bash
# Writes a man page for each command, from its help.
#
#   scripts/man.sh PROGRAM DIRECTORY
set -euo pipefail

program=$1 dir=$2
mkdir -p "$dir"
version=$("$program" version | cut -d ' ' -f 2)

# page NAME: the help of a command on standard input, as a page.
page() {
  printf '.TH "%s" 1 "" "Waybill %s"\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n.nf\n' "${1^^}" "$version" "$1" "$2"
  # A backslash, and a dot or quote that begins a line, are roff's own.
  sed -e 's/\\/\\e/g' -e "s/^\\([.']\\)/\\\\\\&\\1/" -e 's/-/\\-/g'
  printf '.fi\n'
}

help=$("$program" --help)
commands=$(sed -nE 's/^  ([a-z]+) +[A-Z].*/\1/p' <<< "$help" | grep -vx -e help -e completion)
for command in $commands; do
  short=$(sed -nE "s/^  $command +//p" <<< "$help")
  "$program" "$command" --help | page "waybill-$command" "$short" > "$dir/waybill-$command.1"
done
page waybill "carry container images by digest, with their evidence" <<< "$help" > "$dir/waybill.1"
