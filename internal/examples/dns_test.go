package examples_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// zoneID is a whole id of Route 53. external-dns compares endings: an empty id, or a
// letter, would be every zone's.
var zoneID = regexp.MustCompile(`^Z[A-Z0-9]{8,31}$`)

const dnsValues = "platform/external-dns/values.yaml"

func dnsFile(env string) string { return "clusters/" + env + "/values/external-dns.yaml" }

var dnsRules = []rule{
	{"external-dns serves the zones of its cluster", func(s state) (problems []string) {
		var common any
		if err := yaml.Unmarshal(s.files[dnsValues], &common); err != nil {
			return []string{err.Error()}
		}
		for env := range environments {
			var values any
			if err := yaml.Unmarshal(s.files[dnsFile(env)], &values); err != nil {
				return []string{err.Error()}
			}
			if text(common, "provider", "name") == "aws" {
				problems = append(problems, zonesByID(env, values)...)
			}
			for other := range environments {
				if other != env {
					problems = append(problems, s.namesOfOthers(env, values, other)...)
				}
			}
		}
		return problems
	}},
}

// zonesByID says what is wrong with the zones that a cluster's external-dns serves: they
// are named by their ids, one for each of its domains.
func zonesByID(env string, values any) (problems []string) {
	ids, domains := list(values, "extraArgs", "zone-id-filter"), list(values, "domainFilters")
	if len(ids) == 0 {
		problems = append(problems, env+": external-dns filters by no id: it asks for every zone of the account")
	}
	if len(ids) != len(domains) {
		problems = append(problems, fmt.Sprintf("%s: external-dns has the ids of %d zones, and %d domains", env, len(ids), len(domains)))
	}
	for i, id := range ids {
		switch {
		case !zoneID.MatchString(fmt.Sprint(id)):
			problems = append(problems, fmt.Sprintf("%s: %q is no whole id of a zone", env, id))
		case slices.Contains(ids[:i], id):
			problems = append(problems, fmt.Sprintf("%s: the zone %s twice", env, id))
		}
	}
	return problems
}

// namesOfOthers says which names of another cluster one would write: they are below one
// of its domains, and not excluded.
func (s state) namesOfOthers(env string, values any, other string) (problems []string) {
	ends := func(domain string, with []any) bool {
		return slices.ContainsFunc(with, func(d any) bool { return strings.HasSuffix("."+domain, "."+fmt.Sprint(d)) })
	}
	for _, domain := range valuesOf(s, dnsFile(other), "domainFilters") {
		if ends(domain, list(values, "domainFilters")) && !ends(domain, list(values, "excludeDomains")) {
			problems = append(problems, fmt.Sprintf("%s writes names of %s, which are %s's", env, domain, other))
		}
	}
	return problems
}

var rootDomain = regexp.MustCompile(`(?m)^  domain += "([a-z.]+)"$`)

// What external-dns serves is what Terraform makes zones for, and the ids that the file
// asks for are in an output.
func TestZonesAreTerraforms(t *testing.T) {
	t.Parallel()
	s := exampleState(t)
	private := regexp.MustCompile(`private_domain += "\$\{var\.cluster\}(\.[a-z.]+)"`).
		FindStringSubmatch(source(t, "examples", "infra", "modules", "platform", "main.tf"))
	if private == nil {
		t.Fatal("examples/infra/modules/platform makes no private zone")
	}
	for env := range environments {
		domain := rootDomain.FindStringSubmatch(source(t, "examples", "infra", "infra", "aws", env, "main.tf"))
		if domain == nil {
			t.Fatalf("infra/aws/%s has no domain", env)
		}
		want := []string{domain[1], env + private[1]}
		if got := valuesOf(s, dnsFile(env), "domainFilters"); !slices.Equal(got, want) {
			t.Errorf("%s: external-dns serves %v, Terraform makes zones for %v", env, got, want)
		}
	}
	if outputs := source(t, "terraform", "outputs.tf"); !strings.Contains(outputs, "    zones = merge(") {
		t.Error("no output of terraform has the ids of the zones")
	}
}
