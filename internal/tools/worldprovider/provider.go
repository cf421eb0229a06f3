package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// provider answers what terraform asks. Methods that are not here belong to
// features that the schema does not announce.
type provider struct {
	tfprotov5.ProviderServer
	latency time.Duration
	server  string
}

func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	return &tfprotov5.GetMetadataResponse{
		ServerCapabilities: &tfprotov5.ServerCapabilities{}, Resources: []tfprotov5.ResourceMetadata{{TypeName: "world_thing"}},
		DataSources: []tfprotov5.DataSourceMetadata{{TypeName: "world_fact"}},
	}, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		ServerCapabilities: &tfprotov5.ServerCapabilities{}, Provider: settings,
		ResourceSchemas: map[string]*tfprotov5.Schema{"world_thing": schema}, DataSourceSchemas: map[string]*tfprotov5.Schema{"world_fact": fact},
	}, nil
}

func (p *provider) GetResourceIdentitySchemas(
	context.Context, *tfprotov5.GetResourceIdentitySchemasRequest,
) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) GetFunctions(context.Context, *tfprotov5.GetFunctionsRequest) (*tfprotov5.GetFunctionsResponse, error) {
	return &tfprotov5.GetFunctionsResponse{}, nil
}

func (p *provider) PrepareProviderConfig(
	_ context.Context, r *tfprotov5.PrepareProviderConfigRequest,
) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ConfigureProvider(
	_ context.Context, r *tfprotov5.ConfigureProviderRequest,
) (*tfprotov5.ConfigureProviderResponse, error) {
	value, err := r.Config.Unmarshal(settings.ValueType())
	members := map[string]tftypes.Value{}
	if err == nil {
		err = value.As(&members)
	}
	if err != nil {
		return &tfprotov5.ConfigureProviderResponse{Diagnostics: failed(err)}, nil
	}
	if latency := members["latency"]; !latency.IsNull() {
		number := new(big.Float)
		if err := latency.As(&number); err != nil {
			return &tfprotov5.ConfigureProviderResponse{Diagnostics: failed(err)}, nil
		}
		milliseconds, _ := number.Int64()
		p.latency = time.Duration(milliseconds) * time.Millisecond
	}
	p.server = text(members["server"])
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(
	context.Context, *tfprotov5.ValidateDataSourceConfigRequest,
) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

// ReadDataSource answers with the content of a file.
func (p *provider) ReadDataSource(ctx context.Context, r *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	p.call(ctx)
	value, err := r.Config.Unmarshal(fact.ValueType())
	members := map[string]tftypes.Value{}
	if err == nil {
		err = value.As(&members)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(text(members["path"]))
	}
	if err != nil {
		return &tfprotov5.ReadDataSourceResponse{Diagnostics: failed(err)}, nil
	}
	members["answer"], members["secret"] = tftypes.NewValue(tftypes.String, string(data)), tftypes.NewValue(tftypes.String, string(data))
	state, err := tfprotov5.NewDynamicValue(fact.ValueType(), tftypes.NewValue(fact.ValueType(), members))
	if err != nil {
		return &tfprotov5.ReadDataSourceResponse{Diagnostics: failed(err)}, nil
	}
	return &tfprotov5.ReadDataSourceResponse{State: &state}, nil
}

// call is what a call of the world costs.
func (p *provider) call(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(p.latency):
	}
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceTypeConfig(
	context.Context, *tfprotov5.ValidateResourceTypeConfigRequest,
) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) UpgradeResourceState(
	_ context.Context, r *tfprotov5.UpgradeResourceStateRequest,
) (*tfprotov5.UpgradeResourceStateResponse, error) {
	value, err := r.RawState.Unmarshal(kind)
	if err != nil {
		return &tfprotov5.UpgradeResourceStateResponse{Diagnostics: failed(err)}, nil
	}
	state, diagnostics := dynamic(value)
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: state, Diagnostics: diagnostics}, nil
}

func (p *provider) ReadResource(ctx context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	p.call(ctx)
	members, err := attributes(r.CurrentState)
	if err != nil {
		return &tfprotov5.ReadResourceResponse{Diagnostics: failed(err)}, nil
	}
	found, err := read(text(members["path"]))
	if errors.Is(err, fs.ErrNotExist) {
		state, diagnostics := dynamic(tftypes.NewValue(kind, nil))
		return &tfprotov5.ReadResourceResponse{NewState: state, Diagnostics: diagnostics}, nil
	}
	if err != nil {
		return &tfprotov5.ReadResourceResponse{Diagnostics: failed(err)}, nil
	}
	state, diagnostics := dynamic(found.value(members["path"]))
	return &tfprotov5.ReadResourceResponse{NewState: state, Diagnostics: diagnostics}, nil
}

func (p *provider) PlanResourceChange(
	_ context.Context, r *tfprotov5.PlanResourceChangeRequest,
) (*tfprotov5.PlanResourceChangeResponse, error) {
	proposed, err := r.ProposedNewState.Unmarshal(kind)
	if err != nil {
		return &tfprotov5.PlanResourceChangeResponse{Diagnostics: failed(err)}, nil
	}
	prior, err := r.PriorState.Unmarshal(kind)
	if err != nil {
		return &tfprotov5.PlanResourceChangeResponse{Diagnostics: failed(err)}, nil
	}
	if proposed.IsNull() || proposed.Equal(prior) {
		return &tfprotov5.PlanResourceChangeResponse{PlannedState: r.ProposedNewState}, nil
	}
	members := map[string]tftypes.Value{}
	if err := proposed.As(&members); err != nil {
		return &tfprotov5.PlanResourceChangeResponse{Diagnostics: failed(err)}, nil
	}
	members["version"] = tftypes.NewValue(tftypes.Number, tftypes.UnknownValue)
	state, diagnostics := dynamic(tftypes.NewValue(kind, members))
	return &tfprotov5.PlanResourceChangeResponse{
		PlannedState: state, Diagnostics: diagnostics,
		RequiresReplace: []*tftypes.AttributePath{tftypes.NewAttributePath().WithAttributeName("path")},
	}, nil
}

func (p *provider) ApplyResourceChange(
	ctx context.Context, r *tfprotov5.ApplyResourceChangeRequest,
) (*tfprotov5.ApplyResourceChangeResponse, error) {
	p.call(ctx)
	planned, err := r.PlannedState.Unmarshal(kind)
	if err != nil {
		return &tfprotov5.ApplyResourceChangeResponse{Diagnostics: failed(err)}, nil
	}
	if planned.IsNull() {
		prior, err := attributes(r.PriorState)
		if err == nil {
			err = os.Remove(text(prior["path"]))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &tfprotov5.ApplyResourceChangeResponse{Diagnostics: failed(err)}, nil
		}
		return &tfprotov5.ApplyResourceChangeResponse{NewState: r.PlannedState}, nil
	}
	made, path, err := p.write(planned)
	if err != nil {
		return &tfprotov5.ApplyResourceChangeResponse{Diagnostics: failed(err)}, nil
	}
	state, diagnostics := dynamic(made.value(path))
	return &tfprotov5.ApplyResourceChangeResponse{NewState: state, Diagnostics: diagnostics}, nil
}

// write makes the thing that is planned, as the next version of the file.
func (p *provider) write(planned tftypes.Value) (made thing, path tftypes.Value, err error) {
	members := map[string]tftypes.Value{}
	if err := planned.As(&members); err != nil {
		return made, path, err
	}
	path = members["path"]
	if before, err := read(text(path)); err == nil {
		made.Version = before.Version
	}
	made.Version++
	made.Server = p.server
	if err := members["secret"].As(&made.Secret); err != nil {
		return made, path, err
	}
	if settings := members["settings"]; !settings.IsNull() {
		inner := map[string]tftypes.Value{}
		if err := settings.As(&inner); err != nil {
			return made, path, err
		}
		made.Settings = map[string]string{}
		for key, value := range inner {
			made.Settings[key] = text(value)
		}
	}
	data, err := json.Marshal(made)
	if err != nil {
		return made, path, err
	}
	return made, path, os.WriteFile(text(path), data, 0o600)
}

func read(path string) (found thing, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(data, &found)
}

func (t thing) value(path tftypes.Value) tftypes.Value {
	mapping := tftypes.Map{ElementType: tftypes.String}
	settings := tftypes.NewValue(mapping, nil)
	if t.Settings != nil {
		inner := map[string]tftypes.Value{}
		for key, value := range t.Settings {
			inner[key] = tftypes.NewValue(tftypes.String, value)
		}
		settings = tftypes.NewValue(mapping, inner)
	}
	return tftypes.NewValue(kind, map[string]tftypes.Value{
		"path": path, "settings": settings, "secret": tftypes.NewValue(tftypes.String, t.Secret),
		"version": tftypes.NewValue(tftypes.Number, new(big.Float).SetInt64(t.Version)),
	})
}

func attributes(state *tfprotov5.DynamicValue) (map[string]tftypes.Value, error) {
	value, err := state.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	members := map[string]tftypes.Value{}
	return members, value.As(&members)
}

func text(v tftypes.Value) string {
	var s string
	_ = v.As(&s) // of a string that is null, it stays empty
	return s
}

func dynamic(v tftypes.Value) (*tfprotov5.DynamicValue, []*tfprotov5.Diagnostic) {
	d, err := tfprotov5.NewDynamicValue(kind, v)
	if err != nil {
		return nil, failed(err)
	}
	return &d, nil
}

func failed(err error) []*tfprotov5.Diagnostic {
	return []*tfprotov5.Diagnostic{{Severity: tfprotov5.DiagnosticSeverityError, Summary: "The world is broken", Detail: err.Error()}}
}
