package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// nextPage is the path of the next page of referrers, relative to the repository; empty
// if there is none. Registries give it in full, as a path, or as a query alone, and may
// name other pages beside it. An address that is no list of referrers is an error: what
// it lists would be missed.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
// https://www.rfc-editor.org/rfc/rfc8288#section-3
func nextPage(path string, headers []string) (string, error) {
	target := ""
	for _, link := range links(strings.Join(headers, ",")) {
		if slices.Contains(link.relations, "next") {
			target = link.target
			break
		}
	}
	if target == "" {
		return "", nil
	}
	const anywhere = "/v2/x/" // below which path stands; the repository's own name does not matter
	base := &url.URL{Path: anywhere}
	if at, query, _ := strings.Cut(path, "?"); at != "" {
		base.Path, base.RawQuery = anywhere+at, query
	}
	next, err := base.Parse(target)
	if err != nil {
		return "", fmt.Errorf("names the next one in a form that cannot be read: %.200q", target)
	}
	_, digest, found := strings.Cut(next.Path, "/referrers/")
	if !found || !sha256Digest.MatchString(digest) {
		return "", fmt.Errorf("the next one is at %.200q, which is no list of referrers", target)
	}
	return "referrers/" + digest + "?" + next.RawQuery, nil
}

type link struct {
	target    string
	relations []string
}

// links reads a Link header. Commas and semicolons may be within quotes and within <…>.
func links(header string) (all []link) {
	for header != "" {
		_, rest, found := strings.Cut(header, "<")
		if !found {
			return all
		}
		var l link
		if l.target, rest, found = strings.Cut(rest, ">"); !found {
			return all
		}
		var parameters []string
		parameters, header = parametersOf(rest)
		for _, p := range parameters {
			name, value, _ := strings.Cut(p, "=")
			if strings.EqualFold(strings.TrimSpace(name), "rel") && l.relations == nil { // the first one counts
				l.relations = strings.Fields(strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`)))
			}
		}
		all = append(all, l)
	}
	return all
}

// parametersOf splits off what stands behind one target, up to the next comma.
func parametersOf(text string) (parameters []string, rest string) {
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			parameters = append(parameters, text[from:i])
			from = i + 1
		case c == ',':
			return append(parameters, text[from:i]), text[i+1:]
		}
	}
	return append(parameters, text[from:]), ""
}
