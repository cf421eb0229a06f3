package main

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// rewrite changes a file inside a binary plan; one that becomes empty goes.
func rewrite(t *testing.T, binary []byte, name string, change func(string) string) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(binary), int64(len(binary)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			data = []byte(change(string(data)))
		}
		if len(data) == 0 {
			continue
		}
		to, err := w.Create(f.Name)
		if err == nil {
			_, err = to.Write(data)
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

// terraform applies the configuration that is in a plan. Somebody who seals one of
// their own cannot bring another than the one in the repository.
func TestApplyRefusesAnotherConfigurationInThePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, says string }{
		"of the root":     {"tfconfig/m-/main.tf", `infra/prod: the stored plan holds another configuration than the approved commit: main\.tf`},
		"of a module":     {"tfconfig/m-service/main.tf", `holds another configuration than the approved commit: module service: main\.tf`},
		"another module":  {"tfconfig/modules.json", `holds another configuration than the approved commit: the list of modules`},
		"a file left out": {"tfconfig/m-/note.tf", `holds another configuration than the approved commit: note\.tf`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			before := w.state()
			var forged plan.Fingerprint
			w.reseal(f, func(b *seal.Bundle) {
				b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, c.file, func(text string) string {
					switch c.file {
					case "tfconfig/modules.json":
						return strings.ReplaceAll(text, "modules/service", "modules/other")
					case "tfconfig/m-/note.tf":
						return "" // it is left out
					}
					return text + "\n# provisioner \"local-exec\"\n"
				})
				var err error
				if b.Document.Roots[0].Plan, err = terraform.PlanDigest(b.Roots[0].Binary); err != nil {
					t.Fatal(err)
				}
				if forged, err = b.Document.Fingerprint(); err != nil {
					t.Fatal(err)
				}
			})
			w.approve("bob", forged)
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, c.says)
			if w.state() != before {
				t.Error("something was applied")
			}
		})
	}
}

// Planning the same commit again changes nothing that was approved.
func TestPlanAgainKeepsTheFingerprint(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	if again := w.plan(); again != f {
		t.Errorf("planned again, %s is %s", f.Short(), again.Short())
	}
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
}
