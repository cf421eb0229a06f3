#!/usr/bin/env bash
# Writes the tables of inputs and outputs into the README of each Terraform
# module; with -check fails where one differs.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cd internal/tools/awsschema
exec go run ./moddoc "$@" "$root"/terraform "$root"/terraform/modules/*/
