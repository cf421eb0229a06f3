package examples_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/examples"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal/registry"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// mirror is what choices take the platform's images from.
const (
	mirror      = "mirror.example/cache"
	chartImages = "testdata/chart-images.txt"
)

// upstreams are the registries behind the paths of a mirror.
var upstreams = map[string]string{
	"docker-hub": "docker.io", "ecr-public": "public.ecr.aws", "github": "ghcr.io", "k8s": "registry.k8s.io", "quay": "quay.io",
}

var (
	// pinned is a line of images.yaml: a digest, and the image of it by tag.
	pinned = regexp.MustCompile(`(?m)^ +(?:- )?(tag|digest|image): (?:(\S+)@)?sha256:[0-9a-f]{64} # ([a-z0-9.]+)/(\S+):(\S+)$`)
	// anyImage is what reads as an image in what a chart renders.
	anyImage = regexp.MustCompile(`image: "?[^\s"{]+|[a-z0-9.-]+\.[a-z]{2,}(?:/[a-z0-9._-]+)+(?::[A-Za-z0-9][\w.-]*)?@sha256:[0-9a-f]{64}|` +
		`(?:docker\.io|ghcr\.io|quay\.io|registry\.k8s\.io|public\.ecr\.aws|reg\.kyverno\.io)/[a-z0-9._/-]+:[A-Za-z0-9][\w.-]*`)
	fromMirror = regexp.MustCompile(`^` + regexp.QuoteMeta(mirror) + `/([a-z0-9-]+)/([a-z0-9._/-]+?)(?::[A-Za-z0-9][\w.-]*)?@sha256:[0-9a-f]{64}$`)
)

// mirrored says which image of the platform does not come from the mirror by digest: of the
// manifests as they are rendered, and of the charts by what testdata/chart-images.txt says that
// they render. With -update that is taken from the charts, whose every image is then looked at.
func (s state) mirrored(t *testing.T) (problems []string) {
	t.Helper()
	for _, u := range s.units {
		for _, o := range u.objects {
			walk(o.Content, func(m map[string]any) {
				image, ok := m["image"].(string)
				if ok && u.app == "" && o.Kind != "EC2NodeClass" && !fromMirror.MatchString(image) {
					problems = append(problems, fmt.Sprintf("%s: %s: %s is not from the mirror by digest", u.name, o, image))
				}
			})
		}
	}
	data, err := os.ReadFile(chartImages)
	if err != nil && !*update {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		known[strings.TrimSpace(line)] = true
	}
	s.objects("Application", func(u unit, app render.Object) {
		for _, source := range sources(app) {
			if chart := text(source, "chart"); chart != "" {
				problems = append(problems, s.chartMirrored(t, known, source, app)...)
			}
		}
	})
	if *update {
		text := strings.Join(slices.Sorted(maps.Keys(known)), "\n") + "\n"
		if err := os.WriteFile(chartImages, []byte(text), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	return problems
}

func (s state) chartMirrored(t *testing.T, known map[string]bool, source any, app render.Object) (problems []string) {
	t.Helper()
	chart := text(source, "chart") + " " + text(source, "targetRevision") + " "
	var files []string
	for _, v := range list(source, "helm", "valueFiles") {
		files = append(files, strings.TrimPrefix(fmt.Sprint(v), "$values/"))
	}
	if *update {
		problems = append(problems, s.renderedImages(t, known, chart, files, app)...)
	}
	named := make(map[string]bool)
	for _, file := range files {
		content := string(s.files[file])
		for _, m := range pinned.FindAllStringSubmatch(content, -1) {
			named[m[3]+"/"+m[4]] = true
			prefix := ""
			for p, host := range upstreams {
				if host == m[3] {
					prefix = p
				}
			}
			host := strings.Contains(content, mirror+"/"+prefix+"\n") // and the repository beside it, or in the chart
			through := strings.Contains(content, mirror+"/"+prefix+"/"+m[4]) ||
				host && (strings.Contains(content, ": "+m[4]+"\n") || strings.Contains(content, "imageRegistry"))
			if prefix == "" || !through {
				problems = append(problems, fmt.Sprintf("%s: %s/%s does not come from the mirror", file, m[3], m[4]))
			}
			if tag, _, _ := strings.Cut(m[2], "@"); m[2] != "" && tag != m[5] && !strings.HasSuffix(tag, ":"+m[5]) {
				problems = append(problems, fmt.Sprintf("%s: the tag %s of %s/%s stands there as %s", file, m[5], m[3], m[4], tag))
			}
		}
	}
	for _, line := range slices.Sorted(maps.Keys(known)) {
		if image, ok := strings.CutPrefix(line, chart); ok && !named[image] {
			problems = append(problems, fmt.Sprintf("%sruns %s, which no file of its values takes from the mirror", chart, image))
		}
	}
	if len(named) == 0 && !strings.HasPrefix(chart, "prometheus-operator-crds ") {
		problems = append(problems, chart+"takes nothing from the mirror")
	}
	return problems
}

// renderedImages adds to known what the chart itself runs, and says what is not from the mirror.
func (s state) renderedImages(t *testing.T, known map[string]bool, chart string, files []string, app render.Object) (problems []string) {
	t.Helper()
	name, _, _ := strings.Cut(chart, " ")
	work := t.TempDir()
	args := []string{
		"template", "x", filepath.Join(os.Getenv("CHARTS"), name), "--namespace", text(app.Content, "spec", "destination", "namespace"),
		"--kube-version", "1.36.0", "--api-versions", "monitoring.coreos.com/v1", "--skip-crds",
	}
	for i, file := range files {
		at := filepath.Join(work, fmt.Sprintf("values-%d.yaml", i))
		if err := os.WriteFile(at, s.files[file], 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--values="+at)
	}
	helm := process.Command{Path: tooltest.Find(t, "helm"), Args: args, Dir: work, Env: []string{"HOME=" + work}}
	out, err := helm.Output(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", chart, err)
	}
	for _, document := range strings.Split(string(out), "\n---\n") {
		if strings.Contains(document, "kind: CustomResourceDefinition") {
			continue
		}
		for _, image := range anyImage.FindAllString(document, -1) {
			image = strings.TrimLeft(strings.TrimPrefix(image, "image: "), `"`)
			m := fromMirror.FindStringSubmatch(image)
			if m == nil || upstreams[m[1]] == "" {
				problems = append(problems, fmt.Sprintf("%srenders %s, which is not from the mirror by digest", chart, image))
				continue
			}
			known[chart+upstreams[m[1]]+"/"+m[2]] = true
		}
	}
	return problems
}

// What comes from elsewhere, or by a tag that is not the digest's, is found.
func TestMirrorIsHeldToItsImages(t *testing.T) {
	t.Parallel()
	if *update { // every chart is in one of these
		for _, n := range []starter.Names{
			{Platform: starter.AWS, Ingress: starter.Gateway, Secrets: starter.Sealed, Mirror: mirror},
			{Platform: starter.Kubeadm, Ingress: starter.Nginx, Mirror: mirror},
		} {
			files := treeOf(t, n)
			if problems := (state{files, files.render(t)}).mirrored(t); len(problems) > 0 {
				t.Error(strings.Join(problems, "\n"))
			}
		}
	}
	files := treeOf(t, starter.Names{Mirror: mirror})
	units := files.render(t)
	if problems := (state{files, units}).mirrored(t); len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, m := range map[string]struct{ file, old, new, want string }{
		"an image of a manifest": {
			"platform/database/jobs.yaml", "image: " + mirror + "/docker-hub/library/postgres", "image: docker.io/library/postgres",
			"docker.io/library/postgres:17.6@sha256:",
		},
		"no file of images": {
			"clusters/base/platform/loki.yaml", "          - $values/platform/loki/images.yaml\n", "",
			"runs docker.io/grafana/loki, which no file of its values takes from the mirror",
		},
		"an image less": {
			"platform/argocd/images.yaml", "# docker.io/library/redis:", "# docker.io/library/valkey:",
			"runs docker.io/library/redis, which no file",
		},
		"from its project": {
			"platform/argocd/images.yaml", mirror + "/quay/argoproj/argocd", "quay.io/argoproj/argocd",
			"quay.io/argoproj/argocd does not come from the mirror",
		},
		"another tag": {
			"platform/argocd/images.yaml", "tag: v3.4.4@", "tag: v3.4.3@", "the tag v3.4.4 of quay.io/argoproj/argocd stands there as v3.4.3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := files.with(t, m.file, m.old, m.new)
			problems := state{changed, changed.renderChanged(t, units, m.file)}.mirrored(t)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
}

// The script writes the digest that the registry has for the tag, into every line of that image
// and no other, and says which have none.
func TestImagesAreWrittenByDigest(t *testing.T) {
	t.Parallel()
	server, err := registry.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	dir := t.TempDir()
	crane, env := tooltest.Find(t, "crane"), []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	run := func(path string, args ...string) (string, error) {
		command := process.Command{Path: path, Args: args, Dir: dir, Env: append(env, "PATH="+filepath.Dir(crane)+":"+os.Getenv("PATH"))}
		out, err := command.Output(t.Context())
		return strings.TrimSpace(string(out)), err
	}
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := run("/bin/tar", "-cf", name+".tar", name); err != nil {
			t.Fatal(err)
		}
		args := []string{"append", "--oci-empty-base", "--new_layer", name + ".tar", "--new_tag", server.Host + "/x/" + name + ":v1"}
		if _, err := run(crane, args...); err != nil {
			t.Fatal(err)
		}
	}
	digest, err := run(crane, "digest", server.Host+"/x/a:v1")
	if err != nil {
		t.Fatal(err)
	}
	script, err := fs.ReadFile(examples.Files, "mirror/platform/images.sh")
	if err != nil {
		t.Fatal(err)
	}
	none := "sha256:" + strings.Repeat("0", 64)
	before := "a: {}\nimage:\n  tag: v1@" + none + " # " + server.Host + "/x/a:v1\nother:\n  digest: " + none + " # " + server.Host +
		"/x/b:v1\nlast:\n  digest: " + none + "\n"
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("platform/images.sh", string(script))
	write("platform/one/images.yaml", before)
	bash := tooltest.Find(t, "bash")
	if out, err := run(bash, "platform/images.sh", "--check"); err == nil || !strings.Contains(out, "one/images.yaml:3:") {
		t.Errorf("a missing digest: %q, %v", out, err)
	}
	if _, err := run(bash, "platform/images.sh"); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "platform/one/images.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(after), "\n")
	if lines[2] != "  tag: v1@"+digest+" # "+server.Host+"/x/a:v1" || strings.Contains(lines[4], digest) ||
		strings.Contains(lines[4], none) || lines[6] != "  digest: "+none || len(lines) != len(strings.Split(before, "\n")) {
		t.Errorf("got %q", after)
	}
	write("platform/one/images.yaml", strings.ReplaceAll(before, "/x/b:v1", "/x/none:v1"))
	missing := "no digest of " + server.Host + "/x/none:v1"
	if _, err := run(bash, "platform/images.sh"); err == nil || !strings.Contains(fmt.Sprint(err), missing) {
		t.Errorf("an image that is not there: %v", err)
	}
}
