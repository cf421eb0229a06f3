// Package cluster writes what waybill.yaml asks for as admission policies of a
// cluster, so that a change which went around the config repository does not start.
//
// Invariant: a policy written here lets in no image that the evidence policy refuses
// for its repository, its missing digest, its signer or a missing record. What the
// engines cannot ask (source, runner, ref and event of the signer, what a scan found
// and when) is named at the head of each file and stays with Waybill.
//
// The forms are those of the projects: Kubernetes' ValidatingAdmissionPolicy,
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/,
// Kyverno's ImageValidatingPolicy, https://kyverno.io/docs/policy-types/image-validating-policy/,
// and ClusterImagePolicy, https://docs.sigstore.dev/policy-controller/overview/.
package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Kind of policy.
type Kind string

// The kinds, by the engine that enforces them.
const (
	Kyverno   Kind = "kyverno"
	Sigstore  Kind = "sigstore"
	Admission Kind = "validating-admission"
)

// Request says what to write.
type Request struct {
	Kind       Kind
	Config     *config.Config
	Env        string   // empty is what is common to all environments
	Name       string   // of the objects
	Except     []string // namespaces in which the policy does not hold
	PullSecret string   // of the engine's namespace, for a private registry; empty if none is needed
	TrustRoot  string   // policy-controller's TrustRoot of a Sigstore of one's own; empty is the public one
}

// Result is the policy as YAML.
type Result struct{ YAML string }

// Write writes the policy.
func Write(r Request) (Result, error) {
	p, err := newPolicy(r)
	if err != nil {
		return Result{}, err
	}
	var objects []object
	switch r.Kind {
	case Kyverno:
		objects = p.kyverno()
	case Sigstore:
		objects = p.sigstore()
	case Admission:
		objects = p.admission()
	}
	documents := make([]string, len(objects))
	for i, o := range objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			return Result{}, fmt.Errorf("write the policy: %w", err)
		}
		documents[i] = string(data)
	}
	return Result{YAML: p.head() + strings.Join(documents, "---\n")}, nil
}

// object is a part of a manifest; its keys are written in alphabetical order.
type object = map[string]any

// policy is what the file asks of an image, as far as a cluster can ask it.
type policy struct {
	Request
	apps    []string // repositories of the applications
	allow   []string // globs of other repositories
	require []evidence.Kind
	signers []evidence.SignerRule
	keys    []string // PEM
	all     bool     // whether every signer and key has to have signed
}

func newPolicy(r Request) (policy, error) {
	p := policy{Request: r}
	asked, err := r.Config.Policy("", r.Env)
	if err != nil {
		return p, err
	}
	p.require, p.signers, p.all, p.allow = asked.Require, asked.Signers, asked.AllSign, r.Config.Images(r.Env).Allow
	p.keys = r.Config.KeysOf(r.Env)
	for _, name := range r.Config.AppNames() {
		app, err := r.Config.App(name)
		if err != nil {
			return p, err
		}
		if r.Env == "" || app.RunsIn(r.Env) {
			for _, image := range app.Images() {
				p.apps = append(p.apps, image.Name())
			}
		}
	}
	if p.apps = slices.Compact(slices.Sorted(slices.Values(p.apps))); len(p.apps) == 0 {
		return p, outcome.Usagef("%s names no application that runs there, so a policy would let nothing in", config.FileName)
	}
	if r.Kind != Admission && len(p.require) > 0 && len(p.signers)+len(p.keys) == 0 {
		return p, outcome.Usagef("policy.signers and policy.keys of %s are empty, so a policy would let nothing in: name a signer",
			config.FileName)
	}
	if r.TrustRoot != "" && r.Kind != Sigstore {
		return p, outcome.Usagef("--trust-root names an object of policy-controller, and %s has none", r.Kind)
	}
	if r.Kind == Sigstore && len(p.require) == 0 {
		return p, outcome.Usagef(
			"policy.require of %s is empty, so policy-controller has nothing to ask for: name a record", config.FileName,
		)
	}
	return p, nil
}

func (p policy) head() string {
	lines := []string{
		written + p.command() + "` from " + config.FileName + ": change that file, and write this one again.",
	}
	beyond := []string{"what a scan found", "how old a record is", "what provenance and SBOM say"}
	for _, s := range p.signers {
		if s.Source != "" {
			beyond = append(beyond, "the source repository of the signer's run")
			break
		}
	}
	beyond = append(beyond, "its runner, ref and event")
	switch p.Kind {
	case Admission:
		lines = append(lines, "", "It holds every image to a digest and to the repositories that the file names. It verifies no signature.")
	default:
		lines = append(lines, "", "The cluster does not ask for "+strings.Join(beyond, ", ")+": `waybill check` and `bump` do.")
	}
	if p.Kind == Sigstore {
		lines = append(lines, "", "A policy says nothing of images that it does not match: apply `waybill policy validating-admission` "+
			"too, which holds images to repositories. Its globs have no @, so a repository whose name begins the same is asked for "+
			"a signature as well. policy-controller looks only at namespaces with the label policy.sigstore.dev/include=true.")
		if len(p.keys) > 0 {
			lines = append(lines, "", "By key, policy-controller reads cosign's legacy form alone: sign with --store-as both.")
		}
	}
	var out strings.Builder
	for _, line := range lines {
		for _, wrapped := range wrap(line, 96) {
			out.WriteString(strings.TrimSpace("# "+wrapped) + "\n")
		}
	}
	return out.String()
}

// command is the command line that writes the policy again.
func (r Request) command() string {
	words := []string{"waybill policy", string(r.Kind)}
	except := strings.Join(r.Except, ",")
	if except == "" {
		except = nothing // the flag has a default
	}
	for _, flag := range []struct{ name, value string }{
		{flagEnv, r.Env}, {flagName, r.Name}, {flagExcept, except}, {flagSecret, r.PullSecret},
		{flagRoot, r.TrustRoot},
	} {
		if flag.value != "" {
			words = append(words, flag.name, flag.value)
		}
	}
	return text.OneLine(strings.Join(words, " "))
}

func wrap(line string, width int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(line) {
		if current != "" && len(current)+1+len(word) > width {
			lines, current = append(lines, current), ""
		}
		current = strings.TrimSpace(current + " " + word)
	}
	return append(lines, current)
}

// scope leaves namespaces out by name: a name cannot be changed, and a namespace
// that nobody thought of is held to the policy.
func (p policy) scope() object {
	if len(p.Except) == 0 {
		return object{}
	}
	return object{"namespaceSelector": object{"matchExpressions": []any{
		object{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": p.Except},
	}}}
}

// signerNames are who may sign, for a message.
func (p policy) signerNames() []string {
	var names []string
	for _, s := range p.signers {
		names = append(names, s.Subject())
	}
	if len(p.keys) > 0 {
		names = append(names, "a key of "+config.FileName)
	}
	return names
}

// identity is a keyless signer as cosign's matchers take it. A pattern is written
// only where the file has one: an exact subject says more.
func identity(s evidence.SignerRule) object {
	id := object{"issuer": s.Issuer}
	if subject := s.Subject(); strings.Contains(subject, "*") {
		id["subjectRegExp"] = evidence.GlobPattern(subject)
	} else {
		id["subject"] = subject
	}
	return id
}

// predicates are the types of attestation for a record; one of them is enough.
func predicates(kind evidence.Kind) []string {
	switch kind {
	case evidence.Provenance:
		return []string{evidence.PredicateProvenance}
	case evidence.SBOM:
		return []string{evidence.PredicateCycloneDX, evidence.PredicateSPDX}
	case evidence.Scan:
		return []string{evidence.PredicateScan}
	}
	return nil
}

// article is the record for a message: a signature, an SBOM.
func article(kind evidence.Kind) string {
	return cmp.Or(map[evidence.Kind]string{
		evidence.Signature: "a signature", evidence.Provenance: "provenance", evidence.SBOM: "an SBOM", evidence.Scan: "a scan",
	}[kind], string(kind))
}
