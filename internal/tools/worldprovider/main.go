// Command worldprovider is a Terraform provider whose world is a directory of
// JSON files, so that the real terraform can find real drift without network:
// a test changes or deletes the file, as somebody does in a cloud's console.
//
// The setting latency is how many milliseconds a call of the world takes, as
// calls of a cloud's API do; left out, they take none.
//
// A world_thing is the file at path, with the attributes below. Its version is
// counted by the world alone, as a cloud counts revisions or times of use, so
// that there is drift that no configuration asks about.
//
// The setting server is written beside each thing that is made: who looks at the file
// sees how the provider was configured. The data source world_fact answers with the
// content of a file, as a service does that is asked. It is for tests.
package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func main() {
	if err := tf5server.Serve(
		"registry.terraform.io/waybill-dev/world", func() tfprotov5.ProviderServer { return &provider{} },
	); err != nil {
		fmt.Fprintln(os.Stderr, "worldprovider:", err)
		os.Exit(1)
	}
}

// thing is a file of the world.
type thing struct {
	Settings map[string]string `json:"settings"`
	Secret   *string           `json:"secret"`
	Version  int64             `json:"version"`
	Server   string            `json:"server,omitempty"`
}

var schema = &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{Attributes: []*tfprotov5.SchemaAttribute{
	{Name: "path", Type: tftypes.String, Required: true},
	{Name: "settings", Type: tftypes.Map{ElementType: tftypes.String}, Optional: true},
	{Name: "secret", Type: tftypes.String, Optional: true, Sensitive: true},
	{Name: "version", Type: tftypes.Number, Computed: true},
}}}

var kind = schema.ValueType()

var settings = &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{Attributes: []*tfprotov5.SchemaAttribute{
	{Name: "latency", Type: tftypes.Number, Optional: true}, {Name: "server", Type: tftypes.String, Optional: true},
}}}

var fact = &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{Attributes: []*tfprotov5.SchemaAttribute{
	{Name: "path", Type: tftypes.String, Required: true}, {Name: "answer", Type: tftypes.String, Computed: true},
	{Name: "secret", Type: tftypes.String, Computed: true, Sensitive: true},
}}}
