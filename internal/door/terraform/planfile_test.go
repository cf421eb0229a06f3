package terraform

import (
	"archive/zip"
	"bytes"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// part is a file of a binary plan.
type part struct {
	name string
	data []byte
}

func binaryPlan(t *testing.T, parts ...part) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, p := range parts {
		f, err := w.CreateHeader(&zip.FileHeader{Name: p.name, Method: zip.Deflate, Modified: time.Unix(int64(out.Len()), 0)})
		if err == nil {
			_, err = f.Write(p.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tornPlan is one of which a part is not what its checksum says.
func tornPlan(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, size := zip.NewWriter(&out), uint64(len(data))
	f, err := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: 1, CompressedSize64: size, UncompressedSize64: size})
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func message(fields ...any) (m []byte) {
	for i := 0; i < len(fields); i += 2 {
		m = protowire.AppendTag(m, protowire.Number(fields[i].(int)), protowire.BytesType)
		m = protowire.AppendString(m, fields[i+1].(string))
	}
	return m
}

// The time of a plan and the order of its lists do not count; anything else does.
func TestPlanDigest(t *testing.T) {
	t.Parallel()
	digest := func(parts ...part) string {
		d, err := PlanDigest(binaryPlan(t, parts...))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	entry := func(key, value string) string { return string(message(1, key, 2, value)) }
	of := func(fields ...any) part { return part{"tfplan", message(fields...)} }
	module := part{"tfconfig/m-/main.tf", []byte("a")}
	resource := func(paths ...any) string {
		return string(message(13, "r", 9, string(message(append(paths, 2, "v", 2, "w")...))))
	}
	values := func(a, b string) string { return string(message(9, string(message(2, a, 2, b)))) }
	base := []any{
		3, resource(4, "a", 4, "b"), 3, resource(), 2, entry("a", "1"), 2, entry("b", "1"), 19, string(message(2, "c", 4, "o", 4, "p")),
	}
	want := digest(of(append(slices.Clone(base), 21, "2026-11-26T19:32:34Z")...), module)
	for name, same := range map[string]string{
		"another time": digest(of(append(slices.Clone(base), 21, "2027-01-01T00:00:00Z")...), module),
		"another order": digest(module, of(
			19, string(message(2, "c", 4, "p", 4, "o")), 3, resource(), 3, resource(4, "b", 4, "a"),
			2, entry("b", "1"), 2, entry("a", "1"), 21, "2026",
		)),
	} {
		if same != want {
			t.Errorf("%s counts", name)
		}
	}
	if digest(of(3, values("v", "w"))) == digest(of(3, values("w", "v"))) {
		t.Error("what is before and what is after are the same")
	}
	if digest(of(13, "a", 13, "b")) == digest(of(13, "b", 13, "a")) || digest(of(2, entry("a", "1"), 2, entry("a", "2"))) ==
		digest(of(2, entry("a", "2"), 2, entry("a", "1"))) {
		t.Error("the order of what stands there twice does not count, and the last one wins")
	}
	state := func(mode, values string) string {
		resource := `{"mode":"` + mode + `","name":"a","instances":[` + values + `]}`
		return digest(of(base...), part{"tfstate", []byte(`{"resources":[` + resource + `]}`)})
	}
	if state("data", "1") != state("data", "2") {
		t.Error("what a data source answered counts")
	}
	if state("managed", "1") == state("managed", "2") || state("data", "1") == state("managed", "1") {
		t.Error("the state of a resource does not count")
	}
	for name, other := range map[string]string{
		"another change":         digest(of(append(slices.Clone(base), 3, resource(4, "c"))...), module),
		"another field":          digest(of(append(slices.Clone(base), 5, "target")...), module),
		"another configuration":  digest(of(base...), part{"tfconfig/m-/main.tf", []byte("b")}),
		"another state":          digest(of(base...), module, part{"tfstate", []byte("{}")}),
		"another name of a file": digest(of(base...), part{"tfconfig/m-/main.tofu", []byte("a")}),
		"a file twice":           digest(of(base...), module, module),
	} {
		if other == want {
			t.Errorf("%s does not count", name)
		}
	}
	if _, err := PlanDigest(binaryPlan(t, part{"tfplan", []byte{0xff}})); err == nil {
		t.Error("a plan that cannot be read has a digest")
	}
	if a, err := PlanDigest([]byte("encrypted")); err != nil || a == "" {
		t.Errorf("an encrypted plan: %q %v", a, err)
	}
}

// Actions are no changes of resources, and are said all the same.
func TestActionsThatAPlanInvokes(t *testing.T) {
	t.Parallel()
	lines, err := Invoked([]byte(`{"action_invocations":[{"address":"action.aws_lambda_invoke.a","lifecycle_action_trigger":` +
		`{"triggering_resource_address":"terraform_data.b","action_trigger_event":"AfterCreate"}},{"address":"action.x.y"}]}`))
	want := []string{
		"the plan invokes action.aws_lambda_invoke.a with terraform_data.b (AfterCreate)", "the plan invokes action.x.y",
	}
	if err != nil || !slices.Equal(lines, want) {
		t.Errorf("%q %v", lines, err)
	}
	if lines, err := Invoked([]byte(`{"resource_changes":[]}`)); err != nil || len(lines) > 0 {
		t.Errorf("%q %v", lines, err)
	}
}
