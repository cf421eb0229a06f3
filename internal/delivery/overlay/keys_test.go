package overlay_test

import (
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/delivery/overlay"
)

func TestCopyKey(t *testing.T) {
	t.Parallel()
	const source = "# dev\nimage: {tag: a}\nconfig:\n  logLevel: debug # loud\n  'quo''ted': \"a b\"\n  limits:\n    # of memory\n" +
		"    memory: 1Gi\n    list:\n    - a\n    - b: |\n        # text\n        more\n  flow: {a: 1}\na/b: 1\nlast: [1, 2]\n"
	for what, test := range map[string]struct{ key, target, want, says string }{
		"a text": {
			key: "/config/logLevel", target: "x: 1\nconfig:\n  logLevel: 'info' # quiet\ny: 2\n",
			want: "x: 1\nconfig:\n  logLevel: debug # quiet\ny: 2\n",
		},
		"the same": {
			key: "/config/logLevel", target: "config: {logLevel: \"debug\"}",
			want: "config: {logLevel: \"debug\"}",
		},
		"in a flow": {
			key: "/config/logLevel", target: "config: {a: 1, logLevel: info, z: 2}",
			want: "config: {a: 1, logLevel: debug, z: 2}",
		},
		"quoted":  {key: "/config/quo'ted", target: "config:\n  quo'ted: 1\n", want: "config:\n  quo'ted: \"a b\"\n"},
		"escaped": {key: "/a~1b", target: "a/b: 2\n", want: "a/b: 1\n"},
		"a mapping, deeper": {
			key: "/config/limits", target: "config:\n    limits: {cpu: 1}\n    z: 1\n",
			want: "config:\n    limits:\n      # of memory\n      memory: 1Gi\n      list:\n      - a\n" +
				"      - b: |\n          # text\n          more\n    z: 1\n",
		},
		"a mapping, with its tail": {
			key: "/config/limits", target: "config:\n limits:\n  memory: 2Gi\n\n # z\n z: 1\n",
			want: "config:\n limits:\n   # of memory\n   memory: 1Gi\n   list:\n   - a\n   - b: |\n" +
				"       # text\n       more\n\n # z\n z: 1\n",
		},
		"one that is missing": {
			key: "/config/logLevel", target: "config:\n  a: 1\nz: 2\n",
			want: "config:\n  a: 1\n  logLevel: debug # loud\nz: 2\n",
		},
		"missing at the end": {key: "/last", target: "a: 1", want: "a: 1\nlast: [1, 2]"},
		"at the end":         {key: "/last", target: "last: [3]", want: "last: [1, 2]"},
		"other line endings": {
			key: "/config/limits", target: "config:\r\n  limits: {}\r\n",
			want: "config:\r\n  limits:\r\n    # of memory\r\n    memory: 1Gi\r\n    list:\r\n    - a\r\n" +
				"    - b: |\r\n        # text\r\n        more\r\n",
		},
		"nothing to copy":           {key: "/nothing/there", target: "a: 1\n", want: "a: 1\n"},
		"no place":                  {key: "/config/logLevel", target: "a: 1\n", says: "there is no config to put it into"},
		"a place that is a text":    {key: "/config/logLevel", target: "config: text\n", says: "there is no config to put it into"},
		"an anchor":                 {key: "/config", target: "config: {}\n", want: "", says: ""},
		"a flow that is in the way": {key: "/config/limits", target: "config: {limits: 1}\n", says: "on lines of its own"},
		"another is an alias": {
			key: "/config/logLevel", target: "a: &a info\nconfig:\n  logLevel: *a\n",
			want: "a: &a info\nconfig:\n  logLevel: debug # loud\n",
		},
		"twice by a merge": {
			key: "/config/logLevel", target: "a: &a {logLevel: info}\nconfig:\n  <<: *a\n",
			want: "a: &a {logLevel: info}\nconfig:\n  <<: *a\n  logLevel: debug # loud\n",
		},
		"two documents": {key: "/last", target: "a: 1\n---\nb: 1\n", says: "not one YAML document"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if what == "an anchor" {
				_, _, err := overlay.CopyKey([]byte("config:\n  a: &x 1\n  b: *x\n"), []byte(test.target), test.key)
				if err == nil || !strings.Contains(err.Error(), "without anchors and aliases") {
					t.Errorf("got %v", err)
				}
				return
			}
			out, found, err := overlay.CopyKey([]byte(source), []byte(test.target), test.key)
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %q %v, want %s", out, err, test.says)
				}
			case err != nil || string(out) != test.want || found == (what == "nothing to copy"):
				t.Errorf("got %v %v\n%q, want\n%q", found, err, out, test.want)
			}
		})
	}
}

// Copying again changes nothing, and what is copied is what the source has.
func FuzzCopyKey(f *testing.F) {
	f.Add("a: {b: 1}\n", "a:\n  b: 2\n", "/a/b")
	f.Add("a:\n- b\n", "a:\r\n- c", "/a")
	f.Fuzz(func(t *testing.T, source, target, key string) {
		out, found, err := overlay.CopyKey([]byte(source), []byte(target), key)
		if err != nil || !found {
			return
		}
		again, _, err := overlay.CopyKey([]byte(source), out, key)
		if err != nil || string(again) != string(out) {
			t.Fatalf("again: %v\n%q\n%q", err, out, again)
		}
		var a, b map[string]any
		if yaml.Unmarshal([]byte(source), &a) != nil || yaml.Unmarshal(out, &b) != nil ||
			strings.ContainsAny(strings.TrimPrefix(key, "/"), "/~") {
			return
		}
		if !reflect.DeepEqual(a[strings.TrimPrefix(key, "/")], b[strings.TrimPrefix(key, "/")]) {
			t.Fatalf("%q is not as %q at %q", out, source, key)
		}
	})
}
