//go:build goexperiment.jsonv2

package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// leaked has the form of a key of AWS, and is none.
const leaked = "AKIA" + "QYLPMN5HFIQR7BBB"

// A secret is named by rule and place wherever it stands, and its value is nowhere.
func TestSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	line := "region = eu\naws_access_key_id = " + leaked + "\n"
	in := platform{"linux/amd64", []map[string]string{{"app/settings.ini": line}, {"app/.wh.settings.ini": ""}, {"app/run": "true\n"}}}
	made, parsed := configured(t, in, func(config *v1.ConfigFile) {
		config.Config.Env = []string{"KEY=" + leaked}
		for i := range config.History { // words by which a scanner takes all before them for a base image
			config.History[i].CreatedBy = "COPY"
		}
		run := v1.History{CreatedBy: "CMD [\"/app/run\"]", EmptyLayer: true}
		config.History = append(config.History, run, v1.History{CreatedBy: "COPY"})
	})
	made, err := mutate.AppendLayers(made, layer(t, map[string]string{"app/more": "a file"}))
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: made, Descriptor: v1.Descriptor{Platform: parsed}})
	ref, err := w.client.PushIndex(t.Context(), w.repository(t, "acme/app"), index)
	if err != nil {
		t.Fatal(err)
	}
	const want = "2 secrets in the image: aws-access-key-id (/app/settings.ini:2), aws-access-key-id (configuration of the image)"
	for stance, refused := range map[evidence.Stance]bool{evidence.Refuse: true, evidence.Note: false, evidence.Off: false} {
		t.Run(string(stance), func(t *testing.T) {
			t.Parallel()
			result := w.scan(t, scan.Options{Image: ref, Secrets: stance, Threshold: evidence.Threshold{Severity: "none"}})
			sarif, err := result.SARIF("")
			if err != nil {
				t.Fatal(err)
			}
			report, err := json.Marshal(result.Report)
			if err != nil {
				t.Fatal(err)
			}
			all := result.Text() + result.Summary() + result.Refusal() + string(sarif) + string(report)
			if strings.Contains(all, leaked) || strings.Contains(all, leaked[:12]) {
				t.Error("the secret itself is in the output")
			}
			if got := strings.Contains(result.Text(), want); got != (stance != evidence.Off) {
				t.Errorf("%q named: %t\n%s", want, got, result.Text())
			}
			if result.Refused() != refused || strings.Contains(result.Refusal(), want) != refused {
				t.Errorf("refused: %t, %q", result.Refused(), result.Refusal())
			}
		})
	}
}

// What docs/evidence.md says is left out: a secret there is in no report, and one
// beside it is.
func TestSecretsThatAreLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := make(map[string]string)
	var want []string
	for path, found := range map[string]bool{
		"app/settings.ini": true, "root/.env": true, "etc/app.conf": true, "srv/contest/settings.ini": true,

		"app/test/settings.ini": false, "app/settings_test.ini": false, "app/settings.example": false, "app/README.md": false,
		"app/vendor/x/settings.ini": false, "app/node_modules/x/settings.js": false, "app/.git/config": false,
		"app/yarn.lock": false, "app/locale/de.ini": false, "app/a.tar": false, "app/a.svg": false,
		"usr/share/x/settings.ini": false, "usr/lib/x/settings.ini": false, "usr/include/x.h": false,
		"opt/yarn-v1.22.22/settings.js": false, "usr/local/go/settings.go": false, "usr/local/lib/python3.13/settings.py": false,
		"usr/lib/gems/x/settings.rb": false, "app/x-1.0.dist-info/RECORD": false, "usr/src/wordpress/settings.php": false,
	} {
		files[path] = "aws_access_key_id = " + leaked + "\n"
		if found {
			want = append(want, "/"+path)
		}
	}
	files["app/program"] = "\x7fELF\x00\x01\x02" + files["app/settings.ini"] // no text
	slices.Sort(want)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{files}})
	result := w.scan(t, scan.Options{Image: ref, Secrets: evidence.Refuse, Threshold: evidence.Threshold{Severity: "none"}})
	var got []string
	for _, s := range result.Report.Platforms[0].Secrets {
		got = append(got, s.Target)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found in %q, want %q", got, want)
	}
}

// configured is the image of one platform, with another configuration.
func configured(t *testing.T, in platform, change func(*v1.ConfigFile)) (v1.Image, *v1.Platform) {
	t.Helper()
	parsed, err := v1.ParsePlatform(in.name)
	if err != nil {
		t.Fatal(err)
	}
	made := image(t, in, parsed)
	config, err := made.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	change(config)
	if made, err = mutate.ConfigFile(made, config); err != nil {
		t.Fatal(err)
	}
	return made, parsed
}

// Packages say under which licences they are: of a language, and of a distribution.
func TestLicenses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("busybox=1.36.1-r2"), {
		"app/node_modules/x/package.json": `{"name": "x", "version": "1.0.0", "license": "(MIT OR AGPL-3.0-only)"}`,
	}}})
	report := w.scan(t, scan.Options{Image: ref, Threshold: evidence.Threshold{Severity: "none"}}).Report
	got := make(map[string][]string)
	for _, p := range report.Platforms[0].Packages {
		got[p.Name] = p.Licenses
	}
	if strings.Join(got["x"], ",") != "(MIT OR AGPL-3.0-only)" || strings.Join(got["busybox"], ",") != "MIT" {
		t.Errorf("licences %v", got)
	}
}

func TestEndOfLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ended := debian("openssl=3.5.1-1")
	ended["etc/os-release"], ended["etc/debian_version"] = "ID=debian\nVERSION_ID=\"8\"\n", "8.11\n"
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{ended}},
		platform{"linux/arm64", []map[string]string{alpine("openssl=3.5.4-r0")}})
	platforms := w.scan(t, scan.Options{Image: ref}).Report.Platforms
	if !platforms[0].EndOfLife || platforms[1].EndOfLife {
		t.Errorf("debian 8: %t, alpine 3.22: %t", platforms[0].EndOfLife, platforms[1].EndOfLife)
	}
}

// What the configuration of an image has and should not is named as Trivy's checks of
// Dockerfiles are.
func TestMisconfigurations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	step := func(text string) []v1.History { return []v1.History{{CreatedBy: text}} }
	for name, c := range map[string]struct {
		config v1.Config
		steps  []v1.History
		want   string
	}{
		"nobody":            {v1.Config{User: "65532:65532"}, step("RUN /bin/sh -c apk add pseudo # buildkit"), ""},
		"no user":           {v1.Config{}, nil, "DS-0002"},
		"root by name":      {v1.Config{User: "root:app"}, nil, "DS-0002"},
		"root by number":    {v1.Config{User: "00"}, nil, "DS-0002"},
		"SSH":               {v1.Config{User: "1", ExposedPorts: map[string]struct{}{"22/tcp": {}, "2222": {}}}, nil, "DS-0004"},
		"another port":      {v1.Config{User: "1", ExposedPorts: map[string]struct{}{"2222/tcp": {}}}, nil, ""},
		"sudo, by BuildKit": {v1.Config{User: "1"}, step("RUN /bin/sh -c cd / && sudo make install # buildkit"), "DS-0010"},
		"sudo, by Docker":   {v1.Config{User: "1"}, step("/bin/sh -c sudo make install"), "DS-0010"},
		"sudo in a label":   {v1.Config{User: "1"}, step(`/bin/sh -c #(nop)  LABEL how=sudo make`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, parsed := configured(t, platform{"linux/amd64", []map[string]string{{"app/run": name}}}, func(config *v1.ConfigFile) {
				config.Config = c.config
				copy(config.History, c.steps)
			})
			index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: made, Descriptor: v1.Descriptor{Platform: parsed}})
			ref, err := w.client.PushIndex(t.Context(), w.repository(t, "acme/app"), index)
			if err != nil {
				t.Fatal(err)
			}
			result := w.scan(t, scan.Options{Image: ref, Threshold: evidence.Threshold{Severity: "none"}})
			var ids []string
			for _, m := range result.Report.Platforms[0].Misconfigurations {
				ids = append(ids, m.ID)
				if !strings.Contains(result.Text(), m.ID+": "+m.Title) {
					t.Errorf("the text does not say %s: %s", m.ID, m.Title)
				}
			}
			if got := strings.Join(ids, ","); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
