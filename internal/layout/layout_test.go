package layout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

const module = "github.com/waybill-dev/waybill/"

// sigstoreKMS links the libraries of four clouds.
const sigstoreKMS = "internal/door/sigstore/kms"

// doors maps a client library (by prefix of its import path, or by the path
// itself after =) to the packages that may import it.
var doors = map[string][]string{
	"os/exec": {"internal/door/process"},
	"github.com/google/go-containerregistry/pkg/v1/remote": {"internal/door/registry"},
	"github.com/google/go-containerregistry/pkg/authn":     {"internal/door/registry", "internal/door/registry/clouds"},
	"github.com/google/go-containerregistry/pkg/v1/google": {"internal/door/registry/clouds"},
	"github.com/aws/":          {"internal/door/registry/clouds"},
	"github.com/awslabs/":      {"internal/door/registry/clouds"},
	"github.com/Azure/":        {"internal/door/registry/clouds"},
	"github.com/chrismellard/": {"internal/door/registry/clouds"},
	"golang.org/x/oauth2":      {"internal/door/registry/clouds"},
	"github.com/google/go-containerregistry/pkg/registry": {"internal/door/registry/registrytest", "internal/rehearsal/registry"},
	"github.com/google/go-github/":                        {"internal/door/github", "internal/door/github/apps"},
	"github.com/sethvargo/go-githubactions":               {"internal/command/runner"},
	"github.com/aquasecurity/trivy":                       {"internal/delivery/scan/trivy"},
	"github.com/aquasecurity/bolt-fixtures":               {"internal/rehearsal/vulndb"},
	"github.com/sigstore/":                                {"internal/door/sigstore", sigstoreKMS, "internal/tools/timestamp-server"},
	"=github.com/moby/buildkit/client":                    {"internal/delivery/build/buildkit", "internal/rehearsal/buildkitd"},
	// The helpers start docker, podman, kubectl and ssh by themselves: they are
	// the pipe to a daemon, inside of the client library, and take no secrets.
	"github.com/moby/buildkit/client/connhelper/": {"internal/delivery/build/buildkit"},
	"github.com/moby/buildkit/session":            {"internal/delivery/build/buildkit"},
	"helm.sh/":                                    {"internal/delivery/render"},
	"sigs.k8s.io/kustomize/":                      {"internal/delivery/render"},
	"github.com/hashicorp/terraform-json":         {"internal/door/terraform"},
	"github.com/hashicorp/hcl/": {
		"internal/door/terraform/configuration", "internal/door/terraform/configuration/flow",
	},
	"github.com/hashicorp/hc-install/": {"internal/door/terraform/release"},
	"github.com/google/cel-go/":        {"internal/delivery/admission"},
	"k8s.io/apiserver/":                {"internal/delivery/admission", "internal/delivery/schema"},
	"github.com/cenkalti/backoff/":     {"internal/retry"},
	"github.com/yuin/goldmark/":        {"internal/markdown"},
	"filippo.io/age":                   {"internal/gate/seal"},
}

// steps are the verbs of the delivery line. They meet as values or documents
// and never import each other; a step's own sub-packages are part of it.
var steps = []string{
	"changed", "compile", "build", "scan", "sign", "collect", "tag", "diff", "bump", "promote", "check", "rollback", "status", "proposal",
	"verdict", "apply", "drift", "login", "starter", "doctor", "why",
}

// binaries says what a binary must not link.
var binaries = map[string][]string{
	"cmd/waybill": {
		"github.com/aquasecurity/trivy", module + "internal/rehearsal", module + "internal/delivery/scan/trivy", "go.etcd.io/bbolt",
		module + sigstoreKMS,
	},
	"cmd/sigstore-kms-waybill": {
		"github.com/aquasecurity/trivy", module + "internal/rehearsal", module + "internal/delivery", module + "internal/gate",
		module + "internal/door/github", module + "internal/door/registry",
	},
	// Trivy itself brings much of Sigstore and a GitHub client of its own; what
	// must stay out is whatever of ours writes.
	"cmd/waybill-scan": {
		module + "internal/rehearsal", module + "internal/door/github", module + "internal/door/configrepo",
		module + "internal/delivery/sign", module + "internal/door/git", "github.com/moby/buildkit/client/llb",
		module + "internal/door/registry/clouds",
	},
	"cmd/waybill-sandbox": {"github.com/aquasecurity/trivy/", module + "internal/door/github", "helm.sh/"},
}

// environment lists who may read the process environment.
var environment = []string{
	"cmd/waybill/main.go", "cmd/waybill-scan/main.go", "cmd/waybill-sandbox/main.go", "cmd/waybill-sandbox/demo.go",
	"internal/tooltest/tooltest.go", "internal/bench/main.go",
}

// scratchFiles lists who of the gate writes files for a child in the directory of the
// run, which nobody reads afterwards.
var scratchFiles = []string{"internal/gate/apply/apply.go", "internal/gate/apply/again.go", "internal/gate/verdict/hooks.go"}

type pkg struct {
	ImportPath                         string
	Dir                                string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports                            []string
	Deps                               []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	goTool, err := process.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.Command{
		Path: goTool, Dir: tooltest.Root(t),
		Args: append([]string{"list", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps"}, args...),
		Env:  append(os.Environ(), "GOEXPERIMENT=jsonv2"),
	}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

func TestOnlyDoorsImportTheirLibrary(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			for library, allowed := range doors {
				if exact, ok := strings.CutPrefix(library, "="); ok && imported != exact || !ok && !within(imported, library) {
					continue
				}
				used[library] = true
				if !slices.Contains(allowed, name) {
					t.Errorf("%s imports %s, which is for %s alone", name, imported, strings.Join(allowed, ", "))
				}
			}
		}
	}
	for library := range doors {
		if !used[library] {
			t.Errorf("nothing imports %s: the rule guards nothing", library)
		}
	}
}

// A kilobyte of YAML can stand for gigabytes: whoever parses it asks
// internal/limit first. The rehearsal reads what Waybill itself wrote.
func TestYAMLIsReadWithinLimits(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range list(t, "./internal/...", "./cmd/...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		parses := slices.ContainsFunc(p.Imports, func(imported string) bool {
			return within(imported, "go.yaml.in/yaml") || within(imported, "sigs.k8s.io/yaml") || within(imported, "gopkg.in/yaml")
		})
		if name == "internal/delivery/cluster" { // writes YAML, and parses none
			continue
		}
		if !parses || within(name, "internal/rehearsal") || within(name, "internal/tools") || name == "internal/limit" {
			continue
		}
		if found++; !slices.Contains(p.Imports, module+"internal/limit") {
			t.Errorf("%s parses YAML without asking internal/limit", name)
		}
	}
	if found == 0 {
		t.Error("nothing parses YAML: the rule guards nothing")
	}
}

func TestStepsDoNotImportEachOther(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, p := range list(t, "./internal/...") {
		step := stepOf(p.ImportPath)
		if step == "" {
			continue
		}
		seen[step] = true
		for _, imported := range p.Imports {
			other := stepOf(imported)
			if other == "" || other == step {
				continue
			}
			t.Errorf("%s imports %s: steps meet as values or documents", p.ImportPath, imported)
		}
	}
	for _, step := range steps {
		if !seen[step] {
			t.Errorf("there is no step %s: the rule guards nothing", step)
		}
	}
}

// stepOf is the step that a package belongs to: the directory below its house.
func stepOf(importPath string) string {
	for _, house := range []string{"command", "delivery", "gate"} {
		rest, ok := strings.CutPrefix(importPath, module+"internal/"+house+"/")
		if name, _, _ := strings.Cut(rest, "/"); ok && slices.Contains(steps, name) {
			return name
		}
	}
	return ""
}

func TestBinariesAreSplitByTrust(t *testing.T) {
	t.Parallel()
	for binary, forbidden := range binaries {
		for _, p := range list(t, "./"+binary) {
			for _, dep := range p.Deps {
				for _, f := range forbidden {
					if within(dep, f) {
						t.Errorf("%s links %s", binary, dep)
					}
				}
			}
		}
	}
}

func TestOnlyMainsReadTheEnvironment(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	for _, p := range list(t, "./...") {
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			relative, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(environment, filepath.ToSlash(relative)) || strings.Contains(relative, "testdata") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				call, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				from, ok := call.X.(*ast.Ident)
				if ok && from.Name == "os" && slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, call.Sel.Name) {
					t.Errorf(
						"%s reads the environment (os.%s): declare the variable in internal/command/contract and read it by the call",
						relative, call.Sel.Name,
					)
				}
				if ok && from.Name == "os" && call.Sel.Name == "WriteFile" && within(filepath.ToSlash(relative), "internal/gate") &&
					!slices.Contains(scratchFiles, filepath.ToSlash(relative)) {
					t.Errorf("%s writes a file that can be torn: use atomicwriter.WriteFile", relative)
				}
				if ok && from.Name == "os" && call.Sel.Name == "Exit" && parsed.Name.Name != "main" {
					t.Errorf("%s ends the process: return an error", relative)
				}
				return true
			})
		}
	}
}
