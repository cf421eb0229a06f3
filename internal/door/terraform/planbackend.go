package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/protobuf/encoding/protowire"
)

// fieldBackend is the backend in the message Plan. terraform applies a stored plan
// to the state of that backend, and not to the backend of the directory:
// https://github.com/hashicorp/terraform/blob/main/internal/plans/planproto/planfile.proto
const fieldBackend = 13

// Fields of the message Backend. The settings are one field of a DynamicValue.
const (
	fieldBackendType      = 1
	fieldBackendConfig    = 2
	fieldBackendWorkspace = 3
	fieldMsgpack          = 1
)

const localBackend = "local"

// plannedBackend is a backend, with those of its settings that are set.
type plannedBackend struct {
	kind, workspace string
	settings        map[string]json.RawMessage
}

// OtherBackend lists what differs between the backend in a binary plan and that of
// the root, which is initialised: the state that terraform would write is the
// plan's. The backend in an encrypted plan is not known, and the error says so.
func (r *Root) OtherBackend(plan []byte, workspace string) ([]string, error) {
	archive, err := openPlan(plan)
	if err != nil {
		return nil, err
	}
	var planned plannedBackend
	data, err := firstPart(archive, "tfplan")
	if err == nil && data != nil {
		planned, err = backendOf(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read the backend in the binary plan: %w", err)
	}
	here, err := r.backend()
	if err != nil {
		return nil, err
	}
	here.workspace = workspace
	return planned.differences(here), nil
}

func (b plannedBackend) differences(other plannedBackend) (differ []string) {
	if b.kind != other.kind {
		return []string{"type"}
	}
	if b.workspace != other.workspace {
		differ = append(differ, "workspace")
	}
	names := maps.Clone(b.settings)
	maps.Copy(names, other.settings)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(b.settings[name], other.settings[name]) {
			differ = append(differ, name)
		}
	}
	return differ
}

// backendOf reads the backend of a message Plan.
func backendOf(message []byte) (b plannedBackend, err error) {
	backend, err := bytesOf(message, fieldBackend)
	if err != nil {
		return b, err
	}
	kind, err := bytesOf(backend, fieldBackendType)
	if err != nil {
		return b, err
	}
	workspace, err := bytesOf(backend, fieldBackendWorkspace)
	if err != nil {
		return b, err
	}
	config, err := bytesOf(backend, fieldBackendConfig)
	if err == nil {
		config, err = bytesOf(config, fieldMsgpack)
	}
	if err != nil {
		return b, err
	}
	b.kind, b.workspace = string(kind), string(workspace)
	if len(config) == 0 {
		return b, nil
	}
	var settings map[string]any
	if err := msgpack.Unmarshal(config, &settings); err != nil {
		return b, err
	}
	b.settings, err = set(settings)
	return b, err
}

// bytesOf is the field of a message with a number. One that stands there twice is an
// error, because readers differ in which of them counts.
func bytesOf(message []byte, number protowire.Number) (all []byte, err error) {
	fields, err := fieldsOf(message, shape{})
	for _, f := range fields {
		if f.number == number && f.value != nil {
			if all != nil {
				return nil, fmt.Errorf("field %d stands there twice", number)
			}
			all = f.value
		}
	}
	return all, err
}

// set are the settings that have a value, each in one form.
func set(values map[string]any) (map[string]json.RawMessage, error) {
	settings := make(map[string]json.RawMessage)
	for name, v := range values {
		if v = withoutNulls(v); v == nil {
			continue
		}
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		settings[name] = data
	}
	return settings, nil
}

// withoutNulls drops what is not set. Of something that holds nothing else, nothing
// is left.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, inner any) bool { return withoutNulls(inner) == nil })
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// backend is that of the initialised root, as terraform keeps it in its directory.
// A root without a backend block has the local one.
func (r *Root) backend() (b plannedBackend, err error) {
	var kept struct {
		Backend *struct {
			Type   string         `json:"type"`
			Config map[string]any `json:"config"`
		} `json:"backend"`
	}
	data, err := os.ReadFile(filepath.Join(r.o.DataDir, "terraform.tfstate"))
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return b, fmt.Errorf("read the root's backend: %w", err)
	case kept.Backend == nil:
		return plannedBackend{kind: localBackend}, nil
	}
	b.kind = kept.Backend.Type
	if b.settings, err = set(kept.Backend.Config); err != nil {
		return b, fmt.Errorf("read the root's backend: %w", err)
	}
	return b, nil
}
