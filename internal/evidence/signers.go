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
	for _, server := range []string{DefaultServer, p.Server} {
		if server = strings.TrimSuffix(server, "/"); server == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(url, server+"/"); ok {
			return rest, true
		}
	}
	return "", false
}

// Trusts reports whether the policy lets s sign, and if not, why.
func (p Policy) Trusts(s Signer) (bool, string) {
	if s.Key != "" {
		if slices.Contains(p.Keys, s.Key) {
			return true, ""
		}
		return false, "no such key in the policy"
	}
	workflow, known := p.withoutServer(s.Identity)
	if !known {
		return false, "the identity is no workflow of " + p.servers()
	}
	source, known := p.withoutServer(s.SourceRepository)
	if !known {
		return false, "the source repository " + s.SourceRepository + " is not on " + p.servers()
	}
	why := "the policy names no signer"
	for _, rule := range p.Signers {
		switch {
		case rule.Issuer != s.Issuer:
			why = fmt.Sprintf("its issuer is %s, not %s", s.Issuer, rule.Issuer)
		case !matchGlob(rule.Workflow, workflow):
			why = fmt.Sprintf("its workflow is not %s", rule.Workflow)
		case rule.Source != "" && !matchGlob(rule.Source, source):
			why = fmt.Sprintf("it ran for %s, not %s", source, rule.Source)
		case p.Source != "" && source != p.Source:
			why = fmt.Sprintf("it ran for %s, and the application is built from %s", source, p.Source)
		case !rule.takes(s.Runner):
			why = fmt.Sprintf(
				"it was made on a %s runner, which an administrator of %s may register; if that is meant, set runner: %s for the signer",
				s.Runner, source, s.Runner,
			)
		default:
			if why = rule.untrustedRun(s); why == "" {
				return true, ""
			}
		}
	}
	if len(p.Signers) > 1 {
		why = "none of the policy's signers: for the last one, " + why
	}
	return false, why
}

func (p Policy) servers() string {
	if p.Server == "" || strings.TrimSuffix(p.Server, "/") == DefaultServer {
		return DefaultServer
	}
	return DefaultServer + " or " + strings.TrimSuffix(p.Server, "/")
}
