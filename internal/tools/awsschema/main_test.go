package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const versions = `terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
`

const good = versions + `
resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_eks_cluster" "this" {
  name     = "shop"
  role_arn = "arn:aws:iam::111122223333:role/shop"
  vpc_config {
    subnet_ids = ["subnet-a", "subnet-b"]
  }
}
`

const assertion = `mock_provider "aws" {}

run "cluster" {
  assert {
    condition     = aws_eks_cluster.this.name == "NAME"
    error_message = "another name"
  }
}
`

// What terraform says with this provider is worth something only if it says no
// to each kind of mistake.
func TestMistakesFail(t *testing.T) {
	t.Parallel()
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not on PATH")
	}
	config := mirror(t)
	cases := []struct{ name, from, to, want string }{
		{"nothing", "", "", ""},
		{"misspelt attribute", "cidr_block", "cidr_blok", `argument named "cidr_blok" is not expected`},
		{"missing attribute", `name     = "shop"`, "", `argument "name" is required`},
		{
			"missing block", "vpc_config {\n    subnet_ids = [\"subnet-a\", \"subnet-b\"]\n  }", "",
			"At least 1 \"vpc_config\" blocks are required",
		},
		{"unknown block", "vpc_config {", "vpc_configuration {}\n  vpc_config {", `Blocks of type "vpc_configuration" are not expected`},
		{
			"block twice", "vpc_config {", "vpc_config {\n    subnet_ids = []\n  }\n  vpc_config {",
			`No more than 1 "vpc_config" blocks are allowed`,
		},
		{"wrong type", `["subnet-a", "subnet-b"]`, `"subnet-a"`, "set of string required"},
		{
			"read-only attribute", `cidr_block = "10.0.0.0/16"`, "cidr_block = \"10.0.0.0/16\"\n  arn = \"arn:aws:ec2:::vpc/x\"",
			"Value for unconfigurable attribute",
		},
		{
			"read-only attribute in a block", `subnet_ids = ["`, "vpc_id = \"vpc-a\"\n    subnet_ids = [\"",
			"Value for unconfigurable attribute",
		},
		{"unknown type", `"aws_vpc"`, `"aws_vpcs"`, `does not support resource type "aws_vpcs"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.tf"), strings.Replace(good, c.from, c.to, 1))
			run(t, terraform, config, dir, "init", "-backend=false", "-no-color")
			out := run(t, terraform, config, dir, "validate", "-no-color")
			if c.want == "" && !strings.Contains(out, "The configuration is valid") ||
				!strings.Contains(strings.Join(strings.Fields(out), " "), c.want) {
				t.Errorf("want %q in:\n%s", c.want, out)
			}
		})
	}
	for name, want := range map[string]string{"shop": "1 passed, 0 failed", "mall": "another name"} {
		t.Run("assertion of "+name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.tf"), good)
			write(t, filepath.Join(dir, "main.tftest.hcl"), strings.Replace(assertion, "NAME", name, 1))
			run(t, terraform, config, dir, "init", "-backend=false", "-no-color")
			if out := run(t, terraform, config, dir, "test", "-no-color"); !strings.Contains(out, want) {
				t.Errorf("want %q in:\n%s", want, out)
			}
		})
	}
	t.Run("without a mock", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, filepath.Join(dir, "main.tf"), good)
		run(t, terraform, config, dir, "init", "-backend=false", "-no-color")
		if out := run(t, terraform, config, dir, "plan", "-no-color"); !strings.Contains(out, "This provider serves a schema only") {
			t.Errorf("a plan without a mock: %s", out)
		}
	})
}

// mirror builds the provider as terraform wants to find it, and returns the
// configuration that names it.
func mirror(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, address, "6.25.0", runtime.GOOS+"_"+runtime.GOARCH)
	build := exec.CommandContext(
		t.Context(), "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "terraform-provider-aws_v6.25.0_x5"), ".",
	)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	data, err := os.ReadFile("../../../testdata/aws-schema/aws-6.25.0.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "schema.json.gz"), string(data))
	config := filepath.Join(root, "terraformrc")
	write(t, config, "provider_installation {\n  filesystem_mirror {\n    path = \""+root+"\"\n  }\n}\ndisable_checkpoint = true\n")
	return config
}

func run(t *testing.T, terraform, config, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), terraform, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "AWS_REGION=eu-west-1")
	out, _ := command.CombinedOutput() // what it says is what is looked at
	return string(out)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
