package registry

import (
	"strings"
	"testing"
)

func TestNextPage(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("1", 64)
	path, page2 := "referrers/"+digest, "referrers/"+digest+"?n=2"
	for what, test := range map[string]struct {
		path    string
		headers []string
		next    string
		words   string // of the error
	}{
		"none":                         {path, nil, "", ""},
		"a path":                       {path, []string{"</v2/acme/app/" + page2 + `>; rel="next"`}, page2, ""},
		"in full":                      {path, []string{"<https://ghcr.io/v2/acme/app/" + page2 + ">; rel=next"}, page2, ""},
		"on another host":              {path, []string{"<https://evil.example/v2/acme/app/" + page2 + ">; rel=next"}, page2, ""},
		"a query alone":                {path, []string{`<?n=2>; rel="next"`}, page2, ""},
		"a query alone, of page 2":     {page2, []string{`<?n=3>; rel="next"`}, "referrers/" + digest + "?n=3", ""},
		"relative":                     {path, []string{"<./" + digest + `?n=2>; rel="next"`}, page2, ""},
		"behind another":               {path, []string{`<?n=1>; rel="first", <?n=2>; rel="next"`}, page2, ""},
		"in a second header":           {path, []string{`<?n=1>; rel="first"`, `<?n=2>; rel="next"`}, page2, ""},
		"a comma in the address":       {path, []string{`<?n=2&a=1,2>; rel="next"`}, page2 + "&a=1,2", ""},
		"quoted words":                 {path, []string{`<?n=1>; title="a, <b>; rel=next"; rel=prev, <?n=2>; REL="Next last"`}, page2, ""},
		"another relation":             {path, []string{`<?n=2>; rel="nextish"`}, "", ""},
		"without a relation":           {path, []string{`<?n=2>`}, "", ""},
		"no link":                      {path, []string{`next`}, "", ""},
		"an address that has no end":   {path, []string{`<?n=2; rel="next"`}, "", ""},
		"an address of something else": {path, []string{`</v2/_cursor/abc>; rel="next"`}, "", "which is no list of referrers"},
		"an address that is none":      {path, []string{`<http://[::1>; rel="next"`}, "", "in a form that cannot be read"},
		"an address of no digest":      {path, []string{`</v2/a/referrers/latest>; rel="next"`}, "", "which is no list of referrers"},
		"two next ones":                {path, []string{`<?n=2>; rel="next", <?n=3>; rel="next"`}, page2, ""},
		"an address of nothing":        {path, []string{`<>; rel="next", <?n=3>; rel="next"`}, "", ""},
		"a second relation":            {path, []string{`<?n=2>; rel="prev"; rel="next"`}, "", ""}, // the first one counts
		"an address that leaves":       {path, []string{`</v2/a/referrers/../../../x>; rel="next"`}, "", "which is no list of referrers"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			next, err := nextPage(test.path, test.headers)
			if next != test.next || (err != nil) != (test.words != "") || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %q, %v, want %q, %q", next, err, test.next, test.words)
			}
		})
	}
}

// An address that an error names has no end of its own.
func TestLongAddressesOfPages(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://[::1" + strings.Repeat("x", 5_000), "/v2/" + strings.Repeat("x", 5_000)} {
		if _, err := nextPage("referrers/x", []string{"<" + address + ">; rel=next"}); err == nil || len(err.Error()) > 300 {
			t.Errorf("%.20s: %v", address, err)
		}
	}
}

func FuzzNextPage(f *testing.F) {
	f.Add(`<?n=1>; rel="first", <?n=2>; rel="next"`)
	f.Fuzz(func(t *testing.T, header string) {
		digest := "sha256:" + strings.Repeat("1", 64)
		next, err := nextPage("referrers/"+digest, []string{header})
		if err == nil && next != "" && !strings.HasPrefix(next, "referrers/sha256:") {
			t.Errorf("%q leads to %q", header, next)
		}
	})
}
