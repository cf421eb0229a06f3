package render_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

func manifests(t *testing.T, text string) []render.Object {
	t.Helper()
	objects, err := renderer(t, map[string][]byte{"m.yaml": []byte(text)}).Manifests("m.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// Every form in which a Secret can hold a value, on one side or on both.
func TestNoDiffShowsASecret(t *testing.T) {
	t.Parallel()
	secret := func(fields string) string {
		return "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" + fields + "\n"
	}
	const old, new = "b2xkLXNlY3JldA==", "bmV3LXNlY3JldA=="
	for name, c := range map[string]struct{ before, after, want string }{
		"a value": {
			secret("data: {plain: " + old + "}"), secret("data: {plain: " + new + "}"),
			" Secret s\n-  data.plain: (hidden)\n+  data.plain: (hidden)\n",
		},
		"a key with dots": {
			secret("data: {tls.key: " + old + "}"), secret("data: {tls.key: " + new + "}"),
			" Secret s\n-  data[\"tls.key\"]: (hidden)\n+  data[\"tls.key\"]: (hidden)\n",
		},
		"a key that begins": {
			secret("data: {.dockerconfigjson: " + old + "}"), secret("data: {.dockerconfigjson: " + new + "}"),
			" Secret s\n-  data[\".dockerconfigjson\"]: (hidden)\n+  data[\".dockerconfigjson\"]: (hidden)\n",
		},
		"a map comes":        {secret(""), secret("stringData: {password: " + new + "}"), " Secret s\n+  stringData.password: (hidden)\n"},
		"a map goes":         {secret("data: {password: " + old + "}"), secret(""), " Secret s\n-  data.password: (hidden)\n"},
		"null becomes a map": {secret("data: null"), secret("data: {password: " + new + "}"), " Secret s\n+  data.password: (hidden)\n"},
		"a list for a map":   {secret("data: [" + old + "]"), secret("data: " + new), " Secret s\n-  data: (hidden)\n+  data: (hidden)\n"},
		"an unknown field": {
			secret("Data: {a: " + old + "}"), secret("Data: {a: " + new + "}"),
			" Secret s\n-  Data.a: (hidden)\n+  Data.a: (hidden)\n",
		},
		"last applied": {
			secret(""),
			strings.Replace(
				secret(""), "{name: s}",
				"{name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: '"+new+"', other: "+new+"}}", 1,
			),
			" Secret s\n+  metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]: (hidden)\n+  " +
				"metadata.annotations.other: (hidden)\n",
		},
		"it comes": {"", secret("type: Opaque\ndata: {a: " + new + "}"), "+Secret s\n+  data.a: (hidden)\n+  type: Opaque\n"},
		"it goes": {
			secret("immutable: true\ndata: {a: " + old + "}"), "", "-Secret s\n-  data.a: (hidden)\n-  immutable: true\n",
		},
		"in a list": {
			"kind: List\nitems: [{kind: Secret, metadata: {name: s}, data: {a: " + old + "}}]",
			"kind: List\nitems: [{kind: Secret, metadata: {name: s}, data: {a: " + new + "}}]",
			" Secret s\n-  data.a: (hidden)\n+  data.a: (hidden)\n",
		},
		"inside of another": {
			"kind: Template\nmetadata: {name: t}\nobjects: [{kind: Secret, stringData: {a: " + old + "}}]",
			"kind: Template\nmetadata: {name: t}\nobjects: [{kind: Secret, stringData: {a: " + new + "}}]",
			" Template t\n-  objects[0].stringData.a: (hidden)\n+  objects[0].stringData.a: (hidden)\n",
		},
		"as text": {
			"kind: Workflow\nmetadata: {name: w}\nspec: {manifest: \"kind: Secret\\nstringData: {a: " + old + "}\"}",
			"kind: Workflow\nmetadata: {name: w}\nspec: {manifest: \"kind: Secret\\nstringData: {a: " + new + "}\"}",
			" Workflow w\n-  spec.manifest: (hidden)\n+  spec.manifest: (hidden)\n",
		},
		"as text of JSON": {
			"", "kind: Pod\nmetadata: {name: p, annotations: {x: '{\"kind\":\"Secret\",\"data\":{\"a\":\"" + new + "\"}}'}}",
			"+Pod p\n+  metadata.annotations.x: (hidden)\n",
		},
		"a reference to one": {
			"kind: Issuer\nmetadata: {name: i}\nspec: {ref: {kind: Secret, name: a}}",
			"kind: Issuer\nmetadata: {name: i}\nspec: {ref: {kind: Secret, name: b}}",
			" Issuer i\n-  spec.ref.name: a\n+  spec.ref.name: b\n",
		},
		"what is sealed": {
			"kind: SealedSecret\nmetadata: {name: s}\nspec: {encryptedData: {a: AgA}}",
			"kind: SealedSecret\nmetadata: {name: s}\nspec: {encryptedData: {a: AgB}}",
			" SealedSecret s\n-  spec.encryptedData.a: AgA\n+  spec.encryptedData.a: AgB\n",
		},
		"two of one name": {
			secret("data: {a: "+old+"}") + "---\n" + secret("data: {a: "+old+"}"),
			secret("data: {a: "+new+"}") + "---\n" + secret("data: {a: "+old+"}"),
			" Secret s\n-  data.a: (hidden)\n+  data.a: (hidden)\n",
		},
		"the same, elsewhere": {
			"kind: Pod\nmetadata: {name: p, annotations: {kubectl.kubernetes.io/last-applied-configuration: '" + old + "'}}",
			"kind: Pod\nmetadata: {name: p, annotations: {kubectl.kubernetes.io/last-applied-configuration: '" + new + "'}}",
			" Pod p\n-  metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]: (hidden)\n+  " +
				"metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]: (hidden)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := render.Diff(manifests(t, c.before), manifests(t, c.after))
			document, err := json.Marshal(changes)
			if err != nil {
				t.Fatal(err)
			}
			got := render.Text(changes)
			if strings.Contains(got+string(document), old) || strings.Contains(got+string(document), new) {
				t.Errorf("a secret is shown:\n%s%s", got, document)
			}
			want := strings.Split(c.want, "\n")
			lines := strings.Split(got, "\n")
			if len(lines) != len(want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			for _, line := range want {
				if !strings.Contains(got, line) {
					t.Errorf("got %s\nwithout %s", got, line)
				}
			}
		})
	}
}

// What differs is shown, also where two objects have one name or none.
func TestDiffHidesNoChange(t *testing.T) {
	t.Parallel()
	job := func(prefix, command string) string {
		return "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: " + prefix + "}\nspec: {command: [" + command + "]}\n---\n"
	}
	for name, c := range map[string]struct{ before, after, want string }{
		"generated names": {
			job("one-", "a") + job("two-", "b"), job("one-", "rm, -rf") + job("two-", "b"),
			" Job one-*\n-  spec.command[0]: a\n+  spec.command[0]: rm\n+  spec.command[1]: -rf\n",
		},
		"one generated name": {
			job("x-", "a") + job("x-", "b"), job("x-", "b") + job("x-", "rm"),
			" Job x-* (number 2 of that name)\n-  spec.command[0]: a\n+  spec.command[0]: rm\n",
		},
		"a third of that name": {
			job("x-", "a"), job("x-", "a") + job("x-", "rm"),
			"+Job x-* (number 2 of that name)\n+  apiVersion: batch/v1\n+  metadata.generateName: x-\n+  spec.command[0]: rm\n",
		},
		"no name at all": {
			"kind: Job\nspec: {a: 1}\n---\nkind: Job\nspec: {a: 2}\n", "kind: Job\nspec: {a: 1}\n---\nkind: Job\nspec: {a: 3}\n",
			" Job  (number 2 of that name)\n-  spec.a: 2\n+  spec.a: 3\n",
		},
		"the same name twice": {
			"kind: A\nmetadata: {name: m}\n", "kind: A\nmetadata: {name: m}\n---\nkind: A\nmetadata: {name: m}\nspec: {a: 1}\n",
			"+A m (number 2 of that name)\n+  spec.a: 1\n",
		},
		"an object that comes": {
			"",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns, labels: {a: b}}\nspec: {template: " +
				"{containers: [{name: c, command: [rm, -rf]}]}}\n",
			"+Deployment ns/d\n+  apiVersion: apps/v1\n+  metadata.labels.a: b\n+  spec.template.containers[c].command[0]: rm\n+  " +
				"spec.template.containers[c].command[1]: -rf\n+  spec.template.containers[c].name: c\n",
		},
		"an object that goes": {
			"kind: NetworkPolicy\nmetadata: {name: d}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n", "",
			"-NetworkPolicy d\n-  spec.podSelector: {}\n-  spec.policyTypes[0]: Ingress\n",
		},
		"the order of steps": {
			"kind: Pod\nmetadata: {name: p}\nspec: {initContainers: [{name: a}, {name: b}]}\n",
			"kind: Pod\nmetadata: {name: p}\nspec: {initContainers: [{name: b}, {name: a}]}\n",
			" Pod p\n-  spec.initContainers (order): a, b\n+  spec.initContainers (order): b, a\n",
		},
		"text for a number": {
			"kind: A\nmetadata: {name: m}\nspec: {a: 1}\n", "kind: A\nmetadata: {name: m}\nspec: {a: '1'}\n",
			" A m\n-  spec.a: 1\n+  spec.a: \"1\"\n",
		},
		"blank letters": {
			"kind: A\nmetadata: {name: m}\nspec: {a: x}\n", "kind: A\nmetadata: {name: m}\nspec: {a: \"x\\u3164\\ufe0f\"}\n",
			" A m\n-  spec.a: x\n+  spec.a: x\\u3164\\ufe0f\n",
		},
		"look-alikes": {
			"kind: A\nmetadata: {name: m}\nspec: {a: pay}\n", "kind: A\nmetadata: {name: m}\nspec: {a: \"p\\u0430y\"}\n",
			" A m\n-  spec.a: pay\n+  spec.a: p\\u0430y\n",
		},
		"signs that hide": {
			"kind: A\nmetadata: {name: m}\nspec: {a: x}\n", "kind: A\nmetadata: {name: m}\nspec: {a: \"rm\\r\\e[2K\\u202Eok\"}\n",
			" A m\n-  spec.a: x\n+  spec.a: rm\\r\\x1b[2K\\u202eok\n",
		},
		"an empty map": {"kind: A\nmetadata: {name: m}\nspec: {}\n", "kind: A\nmetadata: {name: m}\n", " A m\n-  spec: {}\n"},
		"another version of it": {
			"apiVersion: apps/v1\nkind: A\nmetadata: {name: m}\n", "apiVersion: apps/v2\nkind: A\nmetadata: {name: m}\n",
			" A m\n-  apiVersion: apps/v1\n+  apiVersion: apps/v2\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := render.Text(render.Diff(manifests(t, c.before), manifests(t, c.after)))

			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
