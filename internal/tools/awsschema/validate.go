package main

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// validate reports read-only attributes that a configuration sets: the one
// thing a schema decides that terraform leaves to the provider.
func validate(all map[string]*tfprotov5.Schema, name string, config *tfprotov5.DynamicValue) []*tfprotov5.Diagnostic {
	schema, ok := all[name]
	if !ok {
		return failed("Type is not recorded", fmt.Errorf("no schema is recorded for %s", name))
	}
	value, err := config.Unmarshal(schema.Block.ValueType())
	if err != nil {
		return failed("Configuration does not fit the schema", err)
	}
	found, err := readOnly(schema.Block, value, tftypes.NewAttributePath())
	if err != nil {
		return failed("Configuration does not fit the schema", err)
	}
	return found
}

func readOnly(block *tfprotov5.SchemaBlock, value tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov5.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var members map[string]tftypes.Value
	if err := value.As(&members); err != nil {
		return nil, err
	}
	var found []*tfprotov5.Diagnostic
	for _, a := range block.Attributes {
		if a.Computed && !a.Optional && !members[a.Name].IsNull() {
			found = append(found, &tfprotov5.Diagnostic{
				Severity:  tfprotov5.DiagnosticSeverityError,
				Summary:   "Value for unconfigurable attribute",
				Detail:    fmt.Sprintf("%q is decided by AWS and cannot be set", a.Name),
				Attribute: path.WithAttributeName(a.Name),
			})
		}
	}
	for _, n := range block.BlockTypes {
		inner, err := readOnlyNested(n, members[n.TypeName], path.WithAttributeName(n.TypeName))
		if err != nil {
			return nil, err
		}
		found = append(found, inner...)
	}
	return found, nil
}

func readOnlyNested(n *tfprotov5.SchemaNestedBlock, value tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov5.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var found []*tfprotov5.Diagnostic
	add := func(v tftypes.Value, at *tftypes.AttributePath) error {
		inner, err := readOnly(n.Block, v, at)
		found = append(found, inner...)
		return err
	}
	switch n.Nesting {
	case tfprotov5.SchemaNestedBlockNestingModeSingle, tfprotov5.SchemaNestedBlockNestingModeGroup:
		return readOnly(n.Block, value, path)
	case tfprotov5.SchemaNestedBlockNestingModeMap:
		var elements map[string]tftypes.Value
		if err := value.As(&elements); err != nil {
			return nil, err
		}
		for key, v := range elements {
			if err := add(v, path.WithElementKeyString(key)); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	var elements []tftypes.Value
	if err := value.As(&elements); err != nil {
		return nil, err
	}
	for i, v := range elements {
		at := path.WithElementKeyInt(i)
		if n.Nesting == tfprotov5.SchemaNestedBlockNestingModeSet {
			at = path // an element of a set has no address
		}
		if err := add(v, at); err != nil {
			return nil, err
		}
	}
	return found, nil
}
