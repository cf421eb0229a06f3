// Command awsschema is a Terraform provider that serves the recorded schema of
// hashicorp/aws and nothing else, so that the real terraform can validate and,
// with mock_provider, test terraform/ without network and without an account.
//
// It makes nothing and reads nothing: planning, applying and reading a data
// source without a mock is refused. What it checks is what a schema decides
// (names, types, required, read-only, how many blocks); the values that the
// real provider would refuse beside that (enumerations, ARN and JSON formats,
// attributes that exclude each other) pass here.
//
// The schema is the file schema.json.gz beside the executable.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
)

const address = "registry.terraform.io/hashicorp/aws"

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "awsschema:", err)
		os.Exit(1)
	}
}

func serve() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this executable: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return fmt.Errorf("find this executable: %w", err)
	}
	schema, err := load(filepath.Join(filepath.Dir(self), "schema.json.gz"))
	if err != nil {
		return err
	}
	return tf5server.Serve(address, func() tfprotov5.ProviderServer { return &provider{schema: schema} })
}
