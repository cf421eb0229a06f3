#!/usr/bin/env bash
# Builds the provider that serves the recorded AWS schema into bin/tools and
# prints the file to name in TF_CLI_CONFIG_FILE. Never commit a lock file that
# was written with it: it records this provider's hash as hashicorp/aws.
set -euo pipefail
cd "$(dirname "$0")/.."
version=6.25.0
mirror=$PWD/bin/tools/terraform
dir=$mirror/registry.terraform.io/hashicorp/aws/$version/$(go env GOOS)_$(go env GOARCH)
mkdir -p "$dir"
# The same source gives the same bytes: terraform compares their hash, and runs
# side by side share them.
(cd internal/tools/awsschema && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$dir/terraform-provider-aws_v${version}_x5" .)
cp -u "testdata/aws-schema/aws-$version.json.gz" "$dir/schema.json.gz"
cat > "$mirror/terraformrc" << RC
provider_installation {
  filesystem_mirror {
    path    = "$mirror"
    include = ["registry.terraform.io/hashicorp/aws"]
  }
}
disable_checkpoint = true
RC
echo "$mirror/terraformrc"
