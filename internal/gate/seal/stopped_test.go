package seal_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

const whole = "written before, and whole"

// stores write one file each that a store in a directory has: of plans, of parts of a
// matrix, and of a state that a backend did not take.
func stores(t *testing.T, dir string) map[string]func(data []byte) error {
	place := seal.Place{Dir: dir}
	return map[string]func([]byte) error{
		"plan.sealed": func(data []byte) error {
			_, err := place.Save(t.Context(), nil, seal.Kept{Fingerprint: "plan", Sealed: data})
			return err
		},
		"claim.sealed.claim.json": func(data []byte) error {
			_, err := place.Save(t.Context(), nil, seal.Kept{Fingerprint: "claim", Claim: data})
			return err
		},
		"part.sealed":           func(data []byte) error { return place.SavePart(t.Context(), nil, "part", data, nil) },
		"said.sealed.part.json": func(data []byte) error { return place.SavePart(t.Context(), nil, "said", nil, data) },
		"f.infra-prod.tfstate.age": func(data []byte) error {
			_, err := seal.SaveState(t.Context(), nil, filepath.Join(dir, "f"), "infra/prod", data)
			return err
		},
	}
}

// TestThatIsStopped is the child of TestStoreIsStoppedHalfWay.
func TestThatIsStopped(t *testing.T) {
	t.Parallel()
	if flag.NArg() != 1 {
		return
	}
	for name, write := range stores(t, flag.Arg(0)) {
		if write(bytes.Repeat([]byte("x"), 1<<20)) == nil {
			t.Errorf("%s was written beyond the limit", name)
		}
	}
}

// A writer that is stopped in the middle of a file leaves what was there before. The
// limit of the size of a file stops it.
func TestStoreIsStoppedHalfWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := stores(t, dir)
	for name, write := range files {
		if err := write([]byte(whole)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said, err := process.Command{
		Path: "/bin/sh", Args: []string{"-c", `ulimit -f 16 && exec "$0" -test.run='^TestThatIsStopped$' "$1"`, self, dir},
	}.Output(t.Context())
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for name := range files {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != whole {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

// A file that somebody else tore is found: nothing of it is taken.
func TestTornFilesAreTold(t *testing.T) {
	t.Parallel()
	k, to := key(t)
	dir := t.TempDir()
	good := sealed(t, bundle(t, []byte("binary plan")), to)
	where, err := seal.Place{Dir: dir}.Save(t.Context(), nil, seal.Kept{Fingerprint: "f", Sealed: good, Claim: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 10, len(good) / 2, len(good) - 1} {
		if err := os.Truncate(where, int64(size)); err != nil {
			t.Fatal(err)
		}
		_, err := seal.Fetch(t.Context(), seal.Source{Plan: where, Identities: []seal.Identity{k}, Expect: seal.Expect{Now: now}})
		var refusal *seal.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != seal.Truncated || !strings.Contains(err.Error(), "plan again") {
			t.Errorf("%d bytes of %d: %v", size, len(good), err)
		}
		if err := os.WriteFile(where, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
