package evidence

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultServer is the root of GitHub's pages, which identities and source
// repositories begin with.
const DefaultServer = "https://github.com"

// withoutServer cuts the server off a URL, if it is one that the policy takes
// identities from. What comes from elsewhere matches no rule.
func (p Policy) withoutServer(url string) (string, bool) {
	servers := []string{DefaultServer, p.Server}
	for _, rule := range p.Signers {
		servers = append(servers, rule.server())
	}
	for _, server := range servers {
		if rest, ok := cutServer(url, server); ok {
			return rest, true
		}
	}
	return "", false
}

func cutServer(url, server string) (string, bool) {
	if server = strings.TrimSuffix(server, "/"); server == "" {
		return "", false
	}
	return strings.CutPrefix(url, server+"/")
}

// Subject is the glob of the certificate's whole subject, on GitHub's own server.
func (r SignerRule) Subject() string {
	if r.Identity != "" {
		return r.Identity
	}
	return DefaultServer + "/" + r.Workflow
}

// server is the root of the URLs of a signer that is no workflow of GitHub's:
// https://HOST; empty for others.
func (r SignerRule) server() string {
	host, found := strings.CutPrefix(r.Identity, "https://")
	host, _, rest := strings.Cut(host, "/")
	if !found || !rest || strings.Contains(host, "*") {
		return ""
	}
	return "https://" + host
}

// Trusts reports whether the policy lets s sign, and if not, why.
func (p Policy) Trusts(s Signer) (bool, string) {
	if s.Key != "" {
		if slices.Contains(p.Keys, s.Key) {
			return true, ""
		}
		return false, "no such key in the policy"
	}
	why := "the policy names no signer"
	for _, rule := range p.Signers {
		if why = p.untrusted(rule, s); why == "" {
			return true, ""
		}
	}
	if len(p.Signers) > 1 {
		why = "none of the policy's signers: for the last one, " + why
	}
	return false, why
}

// untrusted says why a rule does not take a signer; empty if it does.
func (p Policy) untrusted(rule SignerRule, s Signer) string {
	if rule.Issuer != s.Issuer {
		return fmt.Sprintf("its issuer is %s, not %s", s.Issuer, rule.Issuer)
	}
	source, why := p.sourceOf(rule, s)
	switch {
	case why != "":
		return why
	case rule.Source != "" && !matchGlob(rule.Source, source):
		return fmt.Sprintf("it ran for %s, not %s%s", orUnknown(source), rule.Source, capitals(rule.Source, source))
	case p.Source != "" && source != p.Source && (source != "" || rule.Identity == ""):
		return fmt.Sprintf("it ran for %s, and the application is built from %s%s", source, p.Source, capitals(p.Source, source))
	case !rule.takes(s.Runner):
		return fmt.Sprintf(
			"it was made on a %s runner, which an administrator of %s may register; if that is meant, set runner: %s for the signer",
			s.Runner, source, s.Runner,
		)
	}
	return rule.untrustedRun(s)
}

// sourceOf gives the repository that a signer ran for, OWNER/NAME, or why its name is
// not the rule's. A signer that is no workflow of GitHub's may say no repository.
func (p Policy) sourceOf(rule SignerRule, s Signer) (source, why string) {
	if rule.Identity != "" {
		if !matchGlob(rule.Identity, s.Identity) {
			return "", fmt.Sprintf("its identity is not %s", rule.Identity)
		}
		source, known := cutServer(s.SourceRepository, rule.server())
		if s.SourceRepository != "" && !known {
			return "", "the source repository " + s.SourceRepository + " is not on the server of " + rule.Identity
		}
		return source, ""
	}
	for _, server := range []string{DefaultServer, p.Server} {
		workflow, known := cutServer(s.Identity, server)
		if !known {
			continue
		}
		source, known := cutServer(s.SourceRepository, server)
		switch {
		case !matchGlob(rule.Workflow, workflow):
			return "", fmt.Sprintf("its workflow is not %s%s", rule.Workflow, capitals(rule.Workflow, workflow))
		case !known:
			return "", "the source repository " + s.SourceRepository + " is not on " + server
		}
		return source, ""
	}
	return "", "the identity is no workflow of " + p.servers()
}

// capitals helps where a glob differs from a name in capital letters alone: GitHub
// finds acme/config for Acme/config, and its certificates hold the registered name.
func capitals(glob, name string) string {
	if matchGlob(strings.ToLower(glob), strings.ToLower(name)) {
		return " (only capital letters differ: write " + name + " in waybill.yaml)"
	}
	return ""
}

func (p Policy) servers() string {
	if p.Server == "" || strings.TrimSuffix(p.Server, "/") == DefaultServer {
		return DefaultServer
	}
	return DefaultServer + " or " + strings.TrimSuffix(p.Server, "/")
}
