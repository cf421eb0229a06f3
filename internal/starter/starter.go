// Package starter writes the files that an application, config or
// infrastructure repository starts from.
//
// A file that exists is never changed: one that is the same is left alone, one
// that differs is named, so that running again after an upgrade shows what is
// new. The files are those of workflows/ and a waybill.yaml, with names filled
// in and nothing else.
package starter

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/workflows"
)

// Kinds of repository.
const (
	App    = "app"
	Config = "config"
	Infra  = "infra"
)

// Names are what is filled in.
type Names struct {
	ConfigRepo string // OWNER/NAME
	App        string
	Image      string // repository of the application's image
	Source     string // OWNER/NAME of the application
}

// Result lists the files by what became of them, as slash paths.
type Result struct {
	Written, Same, Kept []string
}

var (
	repository = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)
	label      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func (n Names) validate() error {
	if !repository.MatchString(n.ConfigRepo) {
		return outcome.Usagef("--config-repo %q is not OWNER/NAME", n.ConfigRepo)
	}
	if !label.MatchString(n.App) {
		return outcome.Usagef("--app %q is not a name of lower-case letters, digits and dashes", n.App)
	}
	if _, err := imageref.ParseRepository(n.Image); err != nil {
		return outcome.Usagef("--image: %w", err)
	}
	if n.Source != "" && !repository.MatchString(n.Source) {
		return outcome.Usagef("the application's repository %q is not OWNER/NAME", n.Source)
	}
	return nil
}

// Write writes the files of a kind of repository below dir.
func Write(dir, kind string, n Names) (Result, error) {
	if kind != Infra { // which has no names to fill in
		if err := n.validate(); err != nil {
			return Result{}, err
		}
	}
	files, err := files(kind, n)
	if err != nil {
		return Result{}, err
	}
	root, err := os.OpenRoot(dir) // nothing is written outside, whatever links lie there
	if err != nil {
		return Result{}, fmt.Errorf("open %s: %w", dir, err)
	}
	defer root.Close()
	var result Result
	for _, f := range files {
		now, err := root.ReadFile(filepath.FromSlash(f.name))
		switch {
		case err == nil && bytes.Equal(now, f.data):
			result.Same = append(result.Same, f.name)
		case err == nil:
			result.Kept = append(result.Kept, f.name)
		case !errors.Is(err, fs.ErrNotExist):
			return result, fmt.Errorf("read %s in %s: %w", f.name, dir, err)
		default:
			if err := write(root, f); err != nil {
				return result, fmt.Errorf("write %s in %s: %w", f.name, dir, err)
			}
			result.Written = append(result.Written, f.name)
		}
	}
	return result, nil
}

// write makes the file whole or not at all.
func write(root *os.Root, f file) error {
	at := filepath.FromSlash(f.name)
	if err := root.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(at+".part", f.data, 0o644); err != nil {
		return err
	}
	return root.Rename(at+".part", at)
}

type file struct {
	name string
	data []byte
}

func files(kind string, n Names) ([]file, error) {
	var list []file
	entries, err := fs.ReadDir(workflows.Files, kind)
	if err != nil {
		return nil, outcome.Usagef("no kind of repository %q", kind)
	}
	if kind == Infra {
		list = append(list, file{config.FileName, []byte(infraRules)})
	}
	for _, e := range entries {
		data, err := workflows.Files.ReadFile(path.Join(kind, e.Name()))
		if err != nil {
			return nil, err
		}
		text := string(data)
		if kind != Infra {
			text = fill(text, n)
		}
		list = append(list, file{".github/workflows/" + e.Name(), []byte(text)})
	}
	if kind == Config {
		list = append(list, configFiles(n)...)
	}
	return list, nil
}

// fill replaces the names of the example organisation.
func fill(text string, n Names) string {
	return strings.NewReplacer(
		"acme/config", n.ConfigRepo,
		"ghcr.io/acme/backend", n.Image,
		"app: backend", "app: "+n.App,
	).Replace(text)
}

// infraRules let nobody approve anything until somebody is named: a rule that
// names an example would be a hole.
const infraRules = `# yaml-language-server: $schema=https://waybill.dev/schema/v1/waybill.json
apiVersion: waybill.dev/v1

terraform:
  # Roots to plan, in the order of their after. Left out: every directory that
  # configures a backend or a provider.
  # roots:
  #   - {dir: infra/network}
  #   - {dir: infra/service, after: [infra/network], varFiles: [infra/common.tfvars]}

  # Who approves which root: users, or teams as ORG/TEAM. The last rule that
  # matches decides; a root that none matches is refused.
  rules: []
  #   - {dir: "**", approvals: 1, from: [acme/platform], destroy: {approvals: 2}}
`

const zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func configFiles(n Names) []file {
	owner, _, _ := strings.Cut(n.ConfigRepo, "/")
	source := n.Source
	if source == "" {
		source = owner + "/" + n.App
	}
	list := []file{{config.FileName, []byte(`# yaml-language-server: $schema=https://waybill.dev/schema/v1/waybill.json
apiVersion: waybill.dev/v1

# In the order in which a digest moves.
environments:
  - {name: dev, promotion: auto}
  - {name: staging, promotion: pull-request, soak: 30m}
  - {name: prod, promotion: pull-request, soak: 24h}

apps:
  ` + n.App + `:
    image: ` + n.Image + `
    source: ` + source + `

# What an image needs before it is deployed anywhere.
policy:
  require: [signature, provenance, sbom, scan]
  signers:
    - issuer: https://token.actions.githubusercontent.com
      workflow: ` + n.ConfigRepo + `/.github/workflows/deliver.yml@refs/heads/main
      source: ` + owner + `/*
  scan: {severity: high, ignoreUnfixed: true, maxAge: 168h}
`)}}
	for _, env := range []string{"dev", "staging", "prod"} {
		list = append(list, file{"apps/" + n.App + "/overlays/" + env + "/kustomization.yaml", []byte(`# ` + n.App + ` in ` + env + `. The digest is written by Waybill.
resources:
  - ../../base
images:
  - name: ` + n.App + `
    newName: ` + n.Image + `
    digest: ` + zeros + `
`)})
	}
	return append(list, file{"apps/" + n.App + "/base/kustomization.yaml", []byte(`resources:
  - deployment.yaml
`)}, file{"apps/" + n.App + "/base/deployment.yaml", []byte(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: ` + n.App + `
spec:
  selector:
    matchLabels: {app.kubernetes.io/name: ` + n.App + `}
  template:
    metadata:
      labels: {app.kubernetes.io/name: ` + n.App + `}
    spec:
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: ` + n.App + `
          image: ` + n.App + ` # set by the overlay
          ports:
            - {name: http, containerPort: 8080}
          readinessProbe:
            httpGet: {path: /api/health, port: http}
          livenessProbe:
            httpGet: {path: /api/health, port: http}
          resources:
            requests: {cpu: 50m, memory: 64Mi}
            limits: {memory: 128Mi}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
`)})
}
