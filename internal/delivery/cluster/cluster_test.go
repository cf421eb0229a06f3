package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

const (
	actions = "https://token.actions.githubusercontent.com"
	digest  = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	file    = `apiVersion: waybill.dev/v1
environments:
  - {name: dev, promotion: auto, policy: {require: [signature]}}
  - {name: prod, promotion: pull-request}
apps:
  api: {image: ghcr.io/acme/api, source: acme/api}
  web: {image: docker.io/acme/web}
  lab: {image: ghcr.io/acme/lab, environments: [dev]}
policy:
  signers:
    - {issuer: https://token.actions.githubusercontent.com, workflow: acme/config/.github/workflows/deliver.yml@refs/heads/main, source: acme/*}
    - {issuer: https://token.actions.githubusercontent.com, workflow: "acme/*/.github/workflows/release.yml@refs/tags/v*"}
  images: {allow: [registry.k8s.io/**, quay.io/prometheus/*, docker.io/library/nginx, docker.io/grafana/*, "docker.io/bitnami/**", "docker.io/library/ag**", "docker.io/*/agent"]}
`
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("waybill.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, r cluster.Request) []render.Object {
	t.Helper()
	r.Name = "waybill"
	result, err := cluster.Write(r)
	if err != nil {
		t.Fatal(err)
	}
	var objects []render.Object
	for _, document := range strings.Split(result.YAML, "\n---\n") {
		var content map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &content); err != nil {
			t.Fatal(err)
		}
		name := content["metadata"].(map[string]any)["name"].(string)
		objects = append(objects, render.Object{
			APIVersion: content["apiVersion"].(string), Kind: content["kind"].(string), Name: name, Content: content,
		})
	}
	return objects
}

func spec(o render.Object) map[string]any { return o.Content["spec"].(map[string]any) }

// judge evaluates as the API server does: its own environment of CEL.
type judge struct {
	env      *cel.Env
	programs map[string]cel.Program
}

func newJudge(t *testing.T, more ...cel.EnvOption) judge {
	t.Helper()
	for _, name := range []string{"object", "variables", "images", "attestors", "attestations"} {
		more = append(more, cel.Variable(name, cel.DynType))
	}
	set, err := environment.MustBaseEnvSet(version.MajorMinor(1, 34)).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: more,
	})
	if err != nil {
		t.Fatal(err)
	}
	return judge{set.StoredExpressionsEnv(), make(map[string]cel.Program)}
}

func (j judge) eval(t *testing.T, expression string, input map[string]any) any {
	t.Helper()
	program := j.programs[expression]
	if program == nil {
		ast, issues := j.env.Compile(expression)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		var err error
		if program, err = j.env.Program(ast); err != nil {
			t.Fatal(err)
		}
		j.programs[expression] = program
	}
	out, _, err := program.Eval(input)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return out.Value()
}

// images are ways to name an image, and attempts to name another by them.
var images = []string{
	"ghcr.io/acme/api", "ghcr.io/acme/api-evil", "ghcr.io/acme/api/evil", "evil/ghcr.io/acme/api", "ghcrxio/acme/api", "ghcr.io/acme/lab",
	"docker.io/acme/web", "index.docker.io/acme/web", "acme/web", "evil.io/acme/web", "registry.k8s.io/pause", "registry.k8s.io/a/b/c",
	"registry.k8s.io.evil.io/pause", "quay.io/prometheus/alertmanager", "quay.io/prometheus/x/y", "nginx", "library/nginx",
	"docker.io/nginx", "docker.io/library/nginx", "evil.io/library/nginx", "nginx-evil", "grafana/loki", "docker.io/grafana/loki",
	"grafana/loki/x", "bitnami/a/b", "evil.io/bitnami/a", "localhost:5000/acme/api", "ghcr.io:443/acme/api",
	"registry-1.docker.io/acme/web", "evil.registry-1.docker.io/acme/web", "registry-1.docker.io/nginx",
	"evil.io/agent", "docker.io/acme/agent", "ag.evil.io/x", "docker.io/library/ag/x",
}

// The policy of the API server lets in exactly the images by digest that
// waybill.yaml names, in each kind of object that makes pods.
func TestAdmissionIsThePolicyOfTheFile(t *testing.T) {
	t.Parallel()
	c, j := parse(t, file), newJudge(t)
	for _, env := range []string{"", "prod"} {
		policy := write(t, cluster.Request{Kind: cluster.Admission, Config: c, Env: env})[0]
		for _, repository := range images {
			for _, suffix := range []string{digest, ":v1" + digest, ":v1", "", digest[:70], digest + "\nx"} {
				want := false
				if r, err := name.NewDigest(repository + suffix); err == nil { // as a container runtime reads it
					named := imageref.Canonical(r.Context()).Name()
					app, err := c.AppForImage(named)
					want = err == nil && (env == "" || app.RunsIn(env)) || c.Images(env).Allows(named)
				}
				if strings.HasPrefix(repository, "ghcr.io:443") || strings.HasPrefix(repository, "registry-1.") {
					want = false // another spelling of a registry is not taken
				}
				got, said := admits(t, j, policy, repository+suffix)
				if got != want || !got && !strings.Contains(said, "is not of a repository") {
					t.Errorf("%q in %q: admitted %t, want %t: %s", repository+suffix, env, got, want, said)
				}
			}
		}
	}
}

func admits(t *testing.T, j judge, policy render.Object, image string) (bool, string) {
	t.Helper()
	good := map[string]any{"image": "ghcr.io/acme/api" + digest}
	pod := func(field string) map[string]any {
		bad := []any{map[string]any{"image": image}}
		return map[string]any{"containers": []any{good}, field: append(bad, good)}
	}
	template := func(s map[string]any) map[string]any { return map[string]any{"template": map[string]any{"spec": s}} }
	volume := map[string]any{
		"containers": []any{good},
		"volumes":    []any{map[string]any{"image": map[string]any{"reference": image}}, map[string]any{"emptyDir": true}},
	}
	verdicts := make(map[bool]string)
	for _, object := range []map[string]any{
		{"kind": "Pod", "spec": pod("containers")}, {"kind": "Pod", "spec": pod("initContainers")},
		{"kind": "Pod", "spec": pod("ephemeralContainers")}, {"kind": "Pod", "spec": volume},
		{"kind": "Deployment", "spec": template(pod("containers"))},
		{"kind": "PodTemplate", "template": map[string]any{"spec": pod("containers")}},
		{"kind": "CronJob", "spec": map[string]any{"jobTemplate": map[string]any{"spec": template(pod("containers"))}}},
	} {
		variables := map[string]any{}
		input := map[string]any{"object": object, "variables": variables}
		for _, v := range spec(policy)["variables"].([]any) {
			v := v.(map[string]any)
			variables[v["name"].(string)] = j.eval(t, v["expression"].(string), input)
		}
		for _, v := range spec(policy)["validations"].([]any) {
			v := v.(map[string]any)
			ok := j.eval(t, v["expression"].(string), input) == true
			verdicts[ok] = fmt.Sprint(object["kind"])
			if !ok {
				verdicts[ok] = fmt.Sprint(j.eval(t, v["messageExpression"].(string), input))
			}
		}
	}
	if len(verdicts) != 1 {
		t.Errorf("%q: kinds of object differ: %v", image, verdicts)
	}
	said, refused := verdicts[false]
	return !refused, said
}

// world is what somebody signed beside an image.
type world []evidence.Record

func record(kind evidence.Kind, predicate, workflow string) evidence.Record {
	return evidence.Record{Kind: kind, PredicateType: predicate, Signer: evidence.Signer{
		Issuer: actions, Identity: "https://github.com/" + workflow, SourceRepository: "https://github.com/acme/api",
	}}
}

// matches reports whether an identity of an engine takes a signer, by Go's regular
// expressions, which both engines use.
func matches(t *testing.T, identity map[string]any, s evidence.Signer) bool {
	t.Helper()
	if pattern, ok := identity["subjectRegExp"].(string); ok {
		return identity["issuer"] == s.Issuer && regexp.MustCompile(pattern).MatchString(s.Identity)
	}
	return identity["issuer"] == s.Issuer && identity["subject"] == s.Identity
}

func (w world) has(t *testing.T, identities []any, predicate string) bool {
	return slices.ContainsFunc(w, func(r evidence.Record) bool {
		return r.PredicateType == predicate && slices.ContainsFunc(identities, func(id any) bool {
			return matches(t, id.(map[string]any), r.Signer)
		})
	})
}

// Both engines take an image if and only if, for each record that the file
// requires, there is one by a signer that the evidence policy trusts.
func TestEnginesAskForTheSameRecords(t *testing.T) {
	t.Parallel()
	const (
		deliver = "acme/config/.github/workflows/deliver.yml@refs/heads/main"
		release = "acme/api/.github/workflows/release.yml@refs/tags/v1"
	)
	all := func(workflow string) world {
		return world{
			record(evidence.Signature, evidence.PredicateSignature, workflow),
			record(evidence.Provenance, evidence.PredicateProvenance, workflow),
			record(evidence.SBOM, evidence.PredicateSPDX, workflow), record(evidence.Scan, evidence.PredicateScan, workflow),
		}
	}
	worlds := map[string]world{
		"nothing": nil, "all": all(deliver), "all by a second signer": all(release), "another branch": all(deliver + "2"),
		"a slash in a glob":   all("acme/api/x/.github/workflows/release.yml@refs/tags/v1"),
		"a line after":        all(deliver + "\n"),
		"a dot that is none":  all("acme/config/.github/workflows/deliverxyml@refs/heads/main"),
		"CycloneDX":           append(all(deliver)[:2:2], record(evidence.SBOM, evidence.PredicateCycloneDX, deliver), all(deliver)[3]),
		"the signature alone": all(deliver)[:1], "signatures of two": append(all(deliver)[:2:2], all(release)[2:]...),
	}
	for i, kind := range evidence.Kinds() {
		worlds["without "+string(kind)] = slices.Delete(all(deliver), i, i+1)
		stranger := all(deliver)
		stranger[i] = all("evil/x/.github/workflows/deliver.yml@refs/heads/main")[i]
		worlds[string(kind)+" of a stranger"] = stranger
	}
	worlds["signed by both"] = append(all(deliver), all(release)[0])
	for _, test := range []struct{ text, env string }{{file, "dev"}, {file, "prod"}, {file + "  signedBy: all\n", "prod"}} {
		c, env := parse(t, test.text), test.env
		asked, err := c.Policy("", env)
		if err != nil {
			t.Fatal(err)
		}
		kyverno := write(t, cluster.Request{Kind: cluster.Kyverno, Config: c, Env: env})[0]
		sigstore := write(t, cluster.Request{Kind: cluster.Sigstore, Config: c, Env: env})
		for name, w := range worlds {
			signed := func(rule evidence.SignerRule) bool {
				return slices.ContainsFunc(w, func(r evidence.Record) bool {
					trusted, _ := evidence.Policy{Signers: []evidence.SignerRule{rule}}.Trusts(r.Signer)
					return r.Kind == evidence.Signature && trusted
				})
			}
			unsigned := slices.ContainsFunc(asked.Signers, func(rule evidence.SignerRule) bool { return !signed(rule) })
			want := (!asked.AllSign || !unsigned) && !slices.ContainsFunc(asked.Require, func(kind evidence.Kind) bool {
				return !slices.ContainsFunc(w, func(r evidence.Record) bool {
					trusted, _ := asked.Trusts(r.Signer)
					return r.Kind == kind && trusted
				})
			})
			if got, why := kyvernoTakes(t, kyverno, w); got != want {
				t.Errorf("%s, %s: Kyverno takes it: %t, want %t: %s", env, name, got, want, why)
			}
			if got := sigstoreTakes(t, sigstore, w); got != want {
				t.Errorf("%s, %s: policy-controller takes it: %t, want %t", env, name, got, want)
			}
		}
	}
}

// kyvernoTakes evaluates the policy as Kyverno does, with functions of the same
// signature that look into w.
func kyvernoTakes(t *testing.T, policy render.Object, w world) (bool, string) {
	t.Helper()
	named := func(field string) map[string]any {
		byName := make(map[string]any)
		list, _ := spec(policy)[field].([]any)
		for _, entry := range list {
			byName[entry.(map[string]any)["name"].(string)] = entry
		}
		return byName
	}
	attestors, attestations := named("attestors"), named("attestations")
	for name := range attestations { // Kyverno hands the name on
		attestations[name] = name
	}
	verify := func(attestors ref.Val, predicate string) ref.Val {
		n := 0
		for _, a := range attestors.Value().([]ref.Val) {
			cosign := a.Value().(map[string]any)["cosign"].(map[string]any)
			if w.has(t, cosign["keyless"].(map[string]any)["identities"].([]any), predicate) {
				n++
			}
		}
		return types.Int(n)
	}
	predicateOf := func(name string) string {
		for _, a := range spec(policy)["attestations"].([]any) {
			if a := a.(map[string]any); a["name"] == name {
				return a["intoto"].(map[string]any)["type"].(string)
			}
		}
		return ""
	}
	dynamic := cel.ListType(cel.DynType)
	functions := []cel.EnvOption{
		cel.Function("verifyImageSignatures", cel.Overload("s", []*cel.Type{cel.StringType, dynamic}, cel.IntType,
			cel.BinaryBinding(func(_, attestors ref.Val) ref.Val { return verify(attestors, evidence.PredicateSignature) }))),
		cel.Function("verifyAttestationSignatures", cel.Overload("a", []*cel.Type{cel.StringType, cel.DynType, dynamic}, cel.IntType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val { return verify(args[2], predicateOf(args[1].Value().(string))) }))),
	}
	input := map[string]any{
		"images": map[string]any{"containers": []string{"ghcr.io/acme/api" + digest}}, "attestors": attestors, "attestations": attestations,
	}
	for _, v := range spec(policy)["validations"].([]any) {
		v := v.(map[string]any)
		if newJudge(t, functions...).eval(t, v["expression"].(string), input) != true {
			return false, v["message"].(string)
		}
	}
	return true, ""
}

// sigstoreTakes follows policy-controller: every policy that matches the image has to
// be satisfied, by any of its authorities.
func sigstoreTakes(t *testing.T, policies []render.Object, w world) bool {
	t.Helper()
	return !slices.ContainsFunc(policies, func(o render.Object) bool {
		return !slices.ContainsFunc(spec(o)["authorities"].([]any), func(a any) bool {
			authority := a.(map[string]any)
			identities := authority["keyless"].(map[string]any)["identities"].([]any)
			attestations, ok := authority["attestations"].([]any)
			if !ok {
				return w.has(t, identities, evidence.PredicateSignature)
			}
			return w.has(t, identities, attestations[0].(map[string]any)["predicateType"].(string))
		})
	})
}

// The engines' own definitions take what is written.
func TestDefinitionsTakeThePolicies(t *testing.T) {
	t.Parallel()
	c := parse(t, file)
	data, err := os.ReadFile(tooltest.File(t, "crds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var definitions []render.Object
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		if bytes.Contains(document, []byte("    kind: ImageValidatingPolicy\n")) {
			o := render.Object{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}
			if err := yaml.Unmarshal(document, &o.Content); err != nil {
				t.Fatal(err)
			}
			definitions = append(definitions, o)
		}
	}
	known := schema.New(definitions)
	except := []string{"kube-system", "argocd"}
	for _, kind := range []cluster.Kind{cluster.Kyverno, cluster.Admission} {
		for _, o := range write(t, cluster.Request{Kind: kind, Config: c, Except: except, PullSecret: "ghcr"}) {
			if !known.Knows(o) {
				t.Errorf("nothing defines %s %s", o.APIVersion, o.Kind)
			}
			for _, p := range known.Problems(o) {
				t.Errorf("%s: %s", o.Kind, p)
			}
			spec(o)["misspelt"] = true
			if got := known.Problems(o); len(got) == 0 || !strings.Contains(strings.Join(got, " "), "misspelt") {
				t.Errorf("%s is not held to its definition: %q", o.Kind, got)
			}
		}
	}
}

// policy-controller's definition has these fields of what is written, in v1beta1:
// https://github.com/sigstore/policy-controller/blob/main/docs/api-types/index.md
func TestFieldsOfClusterImagePolicy(t *testing.T) {
	t.Parallel()
	fields := strings.Fields(`images[].glob mode authorities[].name authorities[].signatureFormat authorities[].keyless.url
		authorities[].keyless.identities[].issuer authorities[].keyless.identities[].subject
		authorities[].keyless.identities[].subjectRegExp authorities[].ctlog.url authorities[].key.data
		authorities[].key.hashAlgorithm authorities[].attestations[].name authorities[].attestations[].predicateType
		authorities[].source[].signaturePullSecrets[].name authorities[].keyless.trustRootRef
		authorities[].ctlog.trustRootRef authorities[].rfc3161timestamp.trustRootRef`)
	// of pkg/apis/glob: no @ is among them
	glob := regexp.MustCompile(`^[a-zA-Z0-9-_:/*.]+$`)
	c := parse(
		t,
		file+"  keys: [\"-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAEShXwJbOTOrGUFmKNlQ9DXS0SheZJz1BgIeozAb5ERY=\\n-----END "+
			"PUBLIC KEY-----\\n\"]\n",
	)
	seen := make(map[string]bool)
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(strings.TrimPrefix(path+"."+key, "."), value)
			}
		case []any:
			for _, value := range v {
				walk(path+"[]", value)
			}
		default:
			seen[path] = true
			if path == "images[].glob" && !glob.MatchString(v.(string)) {
				t.Errorf("policy-controller takes no glob %q", v)
			}
		}
	}
	for _, o := range write(t, cluster.Request{Kind: cluster.Sigstore, Config: c, PullSecret: "ghcr", TrustRoot: "acme"}) {
		walk("", o.Content["spec"])
	}
	for path := range seen {
		if !slices.Contains(fields, path) {
			t.Errorf("ClusterImagePolicy has no field %s", path)
		}
	}
	if len(seen) != len(fields) {
		t.Errorf("written: %v, want %v", seen, fields)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	const none = "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}, {name: prod}]\n"
	app := none + "apps: {a: {image: ghcr.io/acme/a, environments: [dev]}}\n"
	for name, test := range map[string]struct {
		file, env string
		kind      cluster.Kind
		want      string
	}{
		"no application there":       {app, "prod", cluster.Admission, "names no application that runs there"},
		"no such environment":        {app, "test", cluster.Kyverno, `has no environment "test"`},
		"nobody may sign":            {app, "", cluster.Kyverno, "policy.signers and policy.keys of waybill.yaml are empty"},
		"no record for the signers'": {app + "policy: {require: []}\n", "", cluster.Sigstore, "policy.require of waybill.yaml is empty"},
	} {
		if _, err := cluster.Write(cluster.Request{Kind: test.kind, Config: parse(t, test.file), Env: test.env}); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// The command in the head of a file writes that file, whatever was left empty.
func TestTheHeadWritesTheFile(t *testing.T) {
	t.Parallel()
	c := parse(t, file)
	for what, request := range map[string]cluster.Request{
		"everything": {Kind: cluster.Kyverno, Name: "n", Except: []string{"a", "b"}, PullSecret: "s"},
		"nothing":    {Kind: cluster.Admission, Name: "n"},
	} {
		request.Config = c
		result, err := cluster.Write(request)
		if err != nil {
			t.Fatal(err)
		}
		command, again, err := cluster.Rewrite([]byte(result.YAML), c)
		if err != nil || again != result.YAML {
			t.Errorf("%s: %q writes another file (%v)", what, command, err)
		}
		if has := strings.Contains(command, `--except-namespace ""`); has != (len(request.Except) == 0) {
			t.Errorf("%s: the command is %q, and the flag has a default", what, command)
		}
	}
}
