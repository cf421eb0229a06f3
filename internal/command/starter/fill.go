package starter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// tokens are the names of the example organisation, and before them what looks
// like one and is none: the protocol ACME, Waybill's own names, devices, and
// the kinds of environment that the Terraform module knows.
var tokens = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(strings.Join(words, "|")) })

var words = []string{
	`acme-(?:staging-)?v02\.api\.letsencrypt\.org`, `acme\.cert-manager\.io`, `\bacme:`, `/spec/acme/`, `letsencrypt-staging`,
	`waybill-dev`, `\b(?:waybill|sigstore|go)(?:\.|\[\.\])dev\b`, `/dev/(?:null|stdin|stdout|stderr|fd|tty|xvda)\b`,
	`environment += "(?:dev|staging|prod)"`,

	`https://token\.actions\.githubusercontent\.com\b`,
	"`acme-dev`, `acme-staging`, `acme-prod`", "`dev\\.acme\\.example`, `staging\\.acme\\.example`, `acme\\.example`",
	"`shop`, `staging`, `production`", ` -n shop `,
	`\bdev\.acme\.example, staging\.acme\.example\b`, `\bacme\.example\b`,
	`\bghcr\.io/acme/backend\b`, `\bghcr\.io/acme\b`,
	`\bacme/config\b`, `\bacme/backend\b`, `\b(?:orgs/|owner += \{ name = ")?acme(?:/[A-Za-z0-9_.*-]+|\b)`,
	`\b111122223333\b`, `\beu-central-1`, `\beu-west-1`,
	`\b10\.[234]0\.(?:0\.0/16|96\.0/19)`,
	`\bshop\|staging\|production\b`, `\bdev, staging, prod\b`, `\bdev, staging or prod\b`,
	`"dev", "staging", "prod"`, `\b(?:dev|staging|prod)\b`,
	`\bbackend\b`,
}

// scope says what of a file's text is a name.
type scope struct {
	environments bool // dev, staging, prod
	app          bool // backend
	// at is the environment that the file is of; -1 for a file of all.
	at int
}

// hints are what each token has one of. Most lines have none.
var hints = []string{"acme", "dev", "staging", "prod", "backend", "shop", "token.actions.", "1111", "eu-", "10."}

// fill replaces the names of the example organisation. No token goes over the end of a
// line.
func (n Names) fill(text string, c scope) string {
	var filled strings.Builder
	names := n.names()
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(hints, func(hint string) bool { return strings.Contains(line, hint) }) {
			line = n.fillLine(line, names, c)
		}
		filled.WriteString(line)
	}
	return filled.String()
}

func (n Names) fillLine(line string, names map[string]string, c scope) string {
	return tokens().ReplaceAllStringFunc(line, func(token string) string {
		if name, ok := names[token]; ok {
			return name
		}
		if list, ok := n.lists(token); ok {
			return list
		}
		switch token {
		case "10.20.0.0/16", "10.30.0.0/16", "10.40.0.0/16", "10.20.96.0/19", "10.30.96.0/19", "10.40.96.0/19":
			if c.at >= 0 { // a cluster's network, and its public subnets
				return fmt.Sprintf("10.%d%s", 20+10*c.at, token[len("10.20"):])
			}
		case "dev, staging, prod":
			if c.environments {
				return strings.Join(n.marked(), ", ")
			}
		case "dev, staging or prod":
			if c.environments {
				return enumerate(n.Environments, "or")
			}
		case "dev", "staging", "prod":
			if c.environments {
				return marked(n.called(token, c.at))
			}
		case Backend:
			if c.app {
				return marked(n.App)
			}
		}
		for _, prefix := range []string{"orgs/", "owner", "acme/"} {
			if strings.HasPrefix(token, prefix) {
				return strings.Replace(token, "acme", n.Owner, 1)
			}
		}
		return token
	})
}

// names are what the example's names become everywhere.
func (n Names) names() map[string]string {
	return map[string]string{
		evidence.ActionsIssuer: n.Issuer, "acme.example": n.Domain, "ghcr.io/acme/backend": n.Image, "ghcr.io/acme": n.Registry,
		"acme/config": n.ConfigRepo, "acme/backend": n.Source, "acme": n.slug(), defaultAccount: n.Account, defaultRegion: n.Region,
		copiedTo: n.copyRegion(),
	}
}

// lists are what is said of all environments, or of those before the last.
func (n Names) lists(token string) (string, bool) {
	switch token {
	case "dev.acme.example, staging.acme.example":
		return strings.Join(n.otherZones(), ", "), true
	case "`dev.acme.example`, `staging.acme.example`, `acme.example`":
		return codes("", append(n.otherZones(), n.Domain)), true
	case "`acme-dev`, `acme-staging`, `acme-prod`":
		return codes(n.slug()+"-", n.Environments), true
	case "`shop`, `staging`, `production`":
		return codes("", strings.Split(n.namespaces(), "|")), true
	case " -n shop ":
		first, _, _ := strings.Cut(n.namespaces(), "|")
		return " -n " + first + " ", true
	case "shop|staging|production":
		return n.namespaces(), true
	case `"dev", "staging", "prod"`:
		return `"` + strings.Join(n.Environments, `", "`) + `"`, true
	}
	return "", false
}

// otherZones are those below the last environment's, which has the domain itself.
func (n Names) otherZones() (zones []string) {
	for _, name := range n.Environments[:len(n.Environments)-1] {
		zones = append(zones, name+"."+n.Domain)
	}
	return zones
}

// codes are names as Markdown shows them.
func codes(prefix string, names []string) string {
	var list []string
	for _, name := range names {
		list = append(list, "`"+prefix+name+"`")
	}
	return strings.Join(list, ", ")
}

// enumerate joins names as a sentence does: a, b or c.
func enumerate(names []string, word string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}

// tables gives every Markdown table that has a column for each of the example's
// environments one for each that there is, and fills the rest in.
func (n Names) tables(text string, c scope) string {
	const header = "| | dev | staging | prod |"
	var out strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if inside = strings.HasPrefix(line, header) || inside && strings.HasPrefix(line, "|") && len(cells) == 4; !inside {
			out.WriteString(n.fill(line, c))
			continue
		}
		out.WriteString("|" + n.fill(cells[0], c) + "|")
		for at := range n.Environments {
			cell := cells[1+slices.Index([]string{"dev", "staging", "prod"}, n.kind(at))]
			out.WriteString(n.entry(cell, at) + "|")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// ambiguous are words that YAML 1.1, which Kubernetes' tools read, takes for
// something else than a text. https://yaml.org/type/bool.html
var ambiguous = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// marked are the environments, as they are written into a list.
func (n Names) marked() []string {
	list := make([]string, len(n.Environments))
	for i, name := range n.Environments {
		list[i] = marked(name)
	}
	return list
}

// mark is put around a name that YAML takes for something else, until the whole
// file is there and shows where it stands.
const mark = "\x01"

func marked(name string) string {
	if slices.Contains(ambiguous, name) {
		return mark + name + mark
	}
	return name
}

var markedValue = regexp.MustCompile(`(?m)(^ *|[-:] |[\[{,] ?)` + mark + `([a-z]+)` + mark + `( *(?:$|[,\]}:]| #))`)

// unmarked puts quotes around the marked names that are whole values or keys.
func unmarked(text string, isYAML bool) string {
	if !strings.Contains(text, mark) {
		return text
	}
	for range 2 { // what two of them share matches once each time
		if isYAML {
			text = markedValue.ReplaceAllString(text, `${1}"${2}"${3}`)
		}
	}
	return strings.ReplaceAll(text, mark, "")
}

// namespaces of the applications, as an expression: those between are called as
// their environments.
func (n Names) namespaces() string {
	if len(n.Environments) == 1 {
		return "production"
	}
	list := append([]string{"shop"}, n.Environments[1:len(n.Environments)-1]...)
	return strings.Join(append(list, "production"), "|")
}

// kind is the example's environment that the environment at i is made from.
func (n Names) kind(i int) string {
	switch i {
	case len(n.Environments) - 1: // also where it is the only one
		return "prod"
	case 0:
		return "dev"
	}
	return "staging"
}

// called is what the example's environment is called: in a file of one, its
// own name, and for the others what comes right before and first or last; in a
// file of all, staging is the last that is made from it.
func (n Names) called(example string, at int) string {
	last := len(n.Environments) - 1
	switch {
	case at >= 0 && n.kind(at) == example:
		return n.Environments[at]
	case example == "dev":
		return n.Environments[0]
	case example == "prod":
		return n.Environments[last]
	}
	return n.Environments[max(last-1, 0)]
}

// perEnvironment says whose environment's a file of the examples is: a part of
// its path says so.
func perEnvironment(name string) (example string, ok bool) {
	for _, part := range strings.Split(name, "/") {
		stem, _, _ := strings.Cut(part, ".")
		if slices.Contains([]string{"dev", "staging", "prod"}, stem) {
			return stem, true
		}
	}
	return "", false
}

// items fills in a file of all environments. A run of entries of a YAML list,
// one for each of the example's environments, becomes one for each that there
// is; opens matches an entry's first line, and its one group is the
// environment. c says what else of the text is a name.
func (n Names) items(text string, opens *regexp.Regexp, c scope) string {
	var out strings.Builder
	run := map[string]string{}
	flush := func() {
		if len(run) == 3 {
			for at := range n.Environments {
				out.WriteString(n.entry(run[n.kind(at)], at))
			}
		} else {
			for _, block := range run { // an entry of one environment alone
				out.WriteString(n.fill(block, c))
			}
		}
		clear(run)
	}
	current := ""
	for line := range strings.Lines(text) {
		m := opens.FindStringSubmatch(line)
		switch {
		case m != nil && run[m[1]] != "": // another list begins
			flush()
			fallthrough
		case m != nil:
			current = m[1]
			run[current] = line
		case len(run) > 0 && strings.HasPrefix(line, indent(run[current])+" "):
			run[current] += line
		default:
			flush()
			out.WriteString(n.fill(line, c))
		}
	}
	flush()
	return out.String()
}

func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " "))] }

// ofBefore is what an entry says of the environment before.
var ofBefore = regexp.MustCompile(`(?m)^ *soak: .*\n|, after a day in staging\b`)

// entry is one environment's entry. What the example says of the environment
// before is said of the one before; before the first there is none.
func (n Names) entry(block string, at int) string {
	if at == 0 {
		block = ofBefore.ReplaceAllLiteralString(block, "")
		block = strings.ReplaceAll(block, "after: [infra/aws/staging]", "after: [infra/aws/account]")
		return n.fill(block, scope{environments: true, app: true, at: at})
	}
	before := map[string]string{"staging": "dev", "prod": "staging"}[n.kind(at)]
	block = regexp.MustCompile(`\b`+before+`\b`).ReplaceAllLiteralString(block, "\x00")
	return strings.ReplaceAll(n.fill(block, scope{environments: true, app: true, at: at}), "\x00", marked(n.Environments[at-1]))
}
