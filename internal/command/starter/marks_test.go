package starter

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A mark with a word that nobody can choose would leave its line out for ever.
func TestMarksSayWhatCanBeChosen(t *testing.T) {
	t.Parallel()
	known := append([]string{AWS, Kubernetes, Kubeadm, None, pullSecret}, Ingresses()...)
	for _, secrets := range Secrets() {
		known = append(known, "secrets-"+secrets)
	}
	marks, anyMark := 0, regexp.MustCompile(`(?m)(?:^ *| )(?:#|<!--)\[([a-z!+ -]*)\]`)
	for _, dir := range []string{"config", "infra", "ingress", "platform", "secrets"} {
		files, err := example(dir)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			for _, m := range anyMark.FindAllStringSubmatch(text, -1) {
				for _, word := range strings.Fields(strings.ReplaceAll(m[1], "+", " ")) {
					if marks++; !slices.Contains(known, strings.TrimPrefix(word, "!")) {
						t.Errorf("%s/%s: nobody can choose %s", dir, name, word)
					}
				}
			}
		}
	}
	if marks < 300 {
		t.Errorf("only %d marks were found", marks)
	}
}

// Each kind of mark is kept and left out by what was chosen.
func TestMarks(t *testing.T) {
	t.Parallel()
	example := map[string]string{
		"a.yaml": "a: 1\nb: 2 #[aws]\nc: 3 #[kubeadm] c: 4\n#[!aws] d: 5\n  #[traefik] e: 6\n#[aws kubeadm]\nf: 7\n#[]\n#[traefik+!aws] g: 8\n#comment\n",
		"b.yaml": "#[aws]\nall: of it\n\nto: the end\n",
		"c.md":   "<!--[aws]-->\n# One\n\nmore\n<!--[]-->\n| x | <!--[aws] | y |-->\n<!--[!aws] other-->\n\nlast <!--[kubernetes]-->\n",
	}
	for platform, want := range map[string]map[string]string{
		AWS: {
			"a.yaml": "a: 1\nb: 2\nc: 4\n  e: 6\nf: 7\n#comment\n", "b.yaml": "all: of it\n\nto: the end\n",
			"c.md": "# One\n\nmore\n| x |\n\n",
		},
		Kubernetes: {"a.yaml": "a: 1\nc: 4\nd: 5\n  e: 6\ng: 8\n#comment\n", "c.md": "| y |\nother\n\nlast\n"},
		Kubeadm:    {"a.yaml": "a: 1\nc: 3\nd: 5\n  e: 6\nf: 7\ng: 8\n#comment\n", "c.md": "| y |\nother\n\n"},
	} {
		got := maps.Clone(example)
		Names{Platform: platform, Ingress: Traefik}.choose(got)
		want["c.md"] = trimmed(want["c.md"])
		if !maps.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", platform, got, want)
		}
	}
}

// trimmed ends a text with one line break, as choose does.
func trimmed(text string) string {
	for len(text) > 1 && text[len(text)-2:] == "\n\n" {
		text = text[:len(text)-1]
	}
	return text
}
