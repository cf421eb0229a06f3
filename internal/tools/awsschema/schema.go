package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The document is what `terraform providers schema -json` prints.
type document struct {
	Providers map[string]struct {
		Provider  schema            `json:"provider"`
		Resources map[string]schema `json:"resource_schemas"`
		Data      map[string]schema `json:"data_source_schemas"`
	} `json:"provider_schemas"`
}

type schema struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type block struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]nested    `json:"block_types"`
}

type attribute struct {
	Type      json.RawMessage `json:"type"`
	Required  bool            `json:"required"`
	Optional  bool            `json:"optional"`
	Computed  bool            `json:"computed"`
	Sensitive bool            `json:"sensitive"`
	WriteOnly bool            `json:"write_only"`
}

type nested struct {
	Mode  string `json:"nesting_mode"`
	Block block  `json:"block"`
	Min   int64  `json:"min_items"`
	Max   int64  `json:"max_items"`
}

// load reads a compressed schema document.
func load(file string) (*tfprotov5.GetProviderSchemaResponse, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the recorded schema: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read the recorded schema %s: %w", file, err)
	}
	var doc document
	if err := json.NewDecoder(z).Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the recorded schema %s: %w", file, err)
	}
	p, ok := doc.Providers[address]
	if !ok {
		return nil, fmt.Errorf("the recorded schema %s has nothing for %s", file, address)
	}
	response := &tfprotov5.GetProviderSchemaResponse{
		ServerCapabilities: &tfprotov5.ServerCapabilities{GetProviderSchemaOptional: true},
	}
	if response.Provider, err = p.Provider.convert(); err != nil {
		return nil, fmt.Errorf("provider configuration: %w", err)
	}
	if response.ResourceSchemas, err = convertAll(p.Resources); err != nil {
		return nil, fmt.Errorf("resource %w", err)
	}
	if response.DataSourceSchemas, err = convertAll(p.Data); err != nil {
		return nil, fmt.Errorf("data source %w", err)
	}
	return response, nil
}

func convertAll(all map[string]schema) (map[string]*tfprotov5.Schema, error) {
	out := make(map[string]*tfprotov5.Schema, len(all))
	for name, s := range all {
		converted, err := s.convert()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = converted
	}
	return out, nil
}

func (s schema) convert() (*tfprotov5.Schema, error) {
	b, err := s.Block.convert()
	return &tfprotov5.Schema{Version: s.Version, Block: b}, err
}

func (b block) convert() (*tfprotov5.SchemaBlock, error) {
	out := &tfprotov5.SchemaBlock{}
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		a := b.Attributes[name]
		typ, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // the only parser of these types
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: typ, Required: a.Required, Optional: a.Optional,
			Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(b.Blocks)) {
		n := b.Blocks[name]
		inner, err := n.Block.convert()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		mode, err := nesting(n.Mode)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: n.Min, MaxItems: n.Max,
		})
	}
	return out, nil
}

func nesting(mode string) (tfprotov5.SchemaNestedBlockNestingMode, error) {
	switch mode {
	case "single":
		return tfprotov5.SchemaNestedBlockNestingModeSingle, nil
	case "group":
		return tfprotov5.SchemaNestedBlockNestingModeGroup, nil
	case "list":
		return tfprotov5.SchemaNestedBlockNestingModeList, nil
	case "set":
		return tfprotov5.SchemaNestedBlockNestingModeSet, nil
	case "map":
		return tfprotov5.SchemaNestedBlockNestingModeMap, nil
	}
	return 0, fmt.Errorf("nesting mode %q is not known", mode)
}
