package build

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/evidence"
)

var linux = []Platform{{"linux", "amd64", ""}, {"linux", "arm64", ""}}

func TestChoose(t *testing.T) {
	t.Parallel()
	const stages = `ARG BASE=slim
FROM base AS compile
RUN make
FROM scratch AS slim
COPY app /
FROM compile AS full
FROM scratch AS copied
COPY --from=compile /app /
FROM scratch AS indexed
COPY --from=0 /app /
FROM ${BASE} AS chosen
FROM scratch AS download
ADD https://example.com/x /
FROM scratch AS clone
ADD https://github.com/acme/app.git#v1 /
FROM scratch AS for-amd64
FROM base AS for-arm64
RUN make
ARG TARGETARCH
FROM for-$TARGETARCH AS platform
FROM scratch AS last
COPY run /
`
	stagesWithArch := strings.Replace(stages, "ARG BASE=slim\n", "ARG BASE=slim\nARG TARGETARCH\n", 1)
	cases := []struct {
		target, wish string
		args         map[string]string
		engine       string
		reason       string // of the choice, or of the error
	}{
		{target: "", wish: Auto, engine: Assemble, reason: "executes nothing"},
		{target: "slim", wish: Auto, engine: Assemble},
		{target: "SLIM", wish: Auto, engine: Assemble},
		{target: "compile", wish: Auto, engine: BuildKit, reason: "Dockerfile:4: RUN executes a program"},
		{target: "full", wish: Auto, engine: BuildKit, reason: "Dockerfile:4"},
		{target: "copied", wish: Auto, engine: BuildKit, reason: "Dockerfile:4"},
		{target: "indexed", wish: Auto, engine: BuildKit, reason: "Dockerfile:4"},
		{target: "chosen", wish: Auto, engine: Assemble},
		{target: "chosen", wish: Auto, args: map[string]string{"BASE": "full"}, engine: BuildKit, reason: "Dockerfile:4"},
		{target: "download", wish: Auto, engine: BuildKit, reason: "ADD downloads https://example.com/x"},
		{target: "clone", wish: Auto, engine: BuildKit, reason: "ADD clones https://github.com/acme/app.git#v1"},
		{target: "platform", wish: Auto, engine: BuildKit, reason: "Dockerfile:19"},
		{target: "last", wish: BuildKit, engine: BuildKit, reason: "as asked"},
		{target: "compile", wish: Assemble, reason: "Dockerfile:4: RUN make: RUN executes a program, which needs BuildKit"},
		{target: "nothing", wish: Auto, reason: `has no stage "nothing": it has compile, slim, full`},
	}
	file, err := ParseDockerfile("Dockerfile", []byte(stagesWithArch))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		choice, err := Choose(c.wish, Request{Target: c.target, Args: c.args, Platforms: linux}, file)
		text := choice.Reason
		if err != nil {
			text = err.Error()
		}
		if choice.Engine != c.engine || !strings.Contains(text, c.reason) {
			t.Errorf(
				"target %q, engine %s: got %q because %q, want %q because %q", c.target, c.wish, choice.Engine, text, c.engine,
				c.reason,
			)
		}
	}
}

// A FROM whose argument has no value is named before an engine looks at it.
func TestBasesWithoutAName(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"ARG BASE\nFROM scratch AS a\nFROM ${BASE}\n": "Dockerfile:3: FROM ${BASE} names no image, because the build argument BASE " +
			"has no value: " +
			"give --build-arg BASE=VALUE",
		"FROM $X\n": "the build argument X has no value", "ARG BASE=\nFROM $BASE\n": "BASE has no value",
		"ARG GIVEN\nFROM ${GIVEN}\n": "", "ARG BASE\nFROM ${BASE:-scratch}\n": "",
		"FROM scratch AS amd64\nFROM ${TARGETARCH}\n": "", "FROM scratch AS amd64\nFROM ${BUILDARCH}\n": "",
		"# syntax=example.com/other:1\nFROM $X\n": "",
	} {
		file, err := ParseDockerfile("Dockerfile", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		err = file.Check(Request{Args: map[string]string{"GIVEN": "scratch"}, Platforms: []Platform{{OS: "linux", Architecture: "amd64"}}})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

type fakeEngine struct {
	err   error
	calls int
}

func (f *fakeEngine) Build(context.Context, Request, *Dockerfile) (Built, error) {
	f.calls++
	return Built{}, f.err
}

func TestAutoHandsOverWhatOnlyBuildKitCanDo(t *testing.T) {
	t.Parallel()
	file, err := ParseDockerfile("Dockerfile", []byte("FROM scratch\nADD x.tar /\n"))
	if err != nil {
		t.Fatal(err)
	}
	archive := &NeedsBuildKit{Path: "Dockerfile", Line: 2, What: "ADD x.tar /", Reason: "ADD unpacks an archive"}
	for _, c := range []struct {
		wish   string
		err    error
		engine string
		said   []string
	}{
		{Auto, archive, BuildKit, []string{"executes nothing", "Dockerfile:2: ADD unpacks an archive"}},
		{Assemble, archive, Assemble, []string{"executes nothing"}},
		{Auto, errors.New("other"), Assemble, []string{"executes nothing"}},
	} {
		engines := map[string]Engine{Assemble: &fakeEngine{err: c.err}, BuildKit: &fakeEngine{}}
		var said []string
		_, engine, err := Run(
			t.Context(), engines, c.wish, Request{Platforms: linux}, file,
			func(choice Choice) { said = append(said, choice.Reason) },
		)
		if engine != c.engine || (err == nil) != (c.engine == BuildKit) {
			t.Errorf("%s after %v: built by %s, %v", c.wish, c.err, engine, err)
		}
		if len(said) != len(c.said) || !strings.Contains(strings.Join(said, "|"), c.said[len(c.said)-1]) {
			t.Errorf("%s after %v: said %q, want %q", c.wish, c.err, said, c.said)
		}
	}
}

func TestParsePlatforms(t *testing.T) {
	t.Parallel()
	got, err := ParsePlatforms([]string{"linux/arm64", "linux/arm64/v8", "linux/arm/v7", "linux/x86_64", "linux/arm64"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Platform{{"linux", "arm64", ""}, {"linux", "arm", "v7"}, {"linux", "amd64", ""}}, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"amd64": "want OS/ARCH", "linux/amd63": "unknown architecture", "beos/amd64": "unknown operating system",
		"linux/": "platform", "": "want OS/ARCH",
	} {
		if _, err := ParsePlatform(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePlatform(%q): %v, want %q", text, err, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	s := Source{Source: evidence.Source{Repository: "https://github.com/acme/app", Commit: strings.Repeat("a", 40)}, Tag: "v1.2.3"}
	created := time.Unix(1_700_000_000, 0)
	got := s.Metadata("app", created, map[string]string{"org.opencontainers.image.title": "Mine", "x": "y"})
	want := map[string]string{
		"org.opencontainers.image.source": "https://github.com/acme/app", "org.opencontainers.image.url": "https://github.com/acme/app",
		"org.opencontainers.image.revision": strings.Repeat("a", 40), "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
		"org.opencontainers.image.version": "v1.2.3", "org.opencontainers.image.title": "Mine", "x": "y",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(
		map[string]string{"org.opencontainers.image.created": "2023-11-14T22:13:20Z"}, Source{}.Metadata("", created, nil),
	); diff != "" {
		t.Errorf("without a source: %s", diff)
	}
}

func TestJobFillsInTheSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // in no repository
	s, err := ReadSource(t.Context(), dir, Job{Server: "https://github.com", Repository: "acme/app", Commit: "abc", Ref: "refs/tags/v2"})
	if err != nil {
		t.Fatal(err)
	}
	want := Source{Source: evidence.Source{Repository: "https://github.com/acme/app", Commit: "abc", Ref: "refs/tags/v2"}, Tag: "v2"}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if got := s.Relative(dir + "/sub/Dockerfile"); got != "Dockerfile" {
		t.Errorf("a record names %q of the machine", got)
	}
}

func TestIndexCarriesAnnotations(t *testing.T) {
	t.Parallel()
	var images []Image
	for _, p := range linux {
		image, err := random.Image(10, 1)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, Image{Platform: p, Image: image})
	}
	index, platforms, err := Index(images, Everywhere(map[string]string{"k": "v"}))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Annotations["k"] != "v" || len(manifest.Manifests) != 2 {
		t.Errorf("the index is %+v", manifest)
	}
	for i, m := range manifest.Manifests {
		if m.Platform.String() != linux[i].String() || platforms[linux[i].String()] != m.Digest.String() {
			t.Errorf("manifest %d is %v, platforms are %v", i, m, platforms)
		}
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := image.Manifest()
		if err != nil || inner.Annotations["k"] != "v" {
			t.Errorf("manifest %d has the annotations %v, %v", i, inner.Annotations, err)
		}
		before, _ := images[i].Image.ConfigName()
		after, _ := image.ConfigName()
		if before != after {
			t.Errorf("annotating has changed the configuration of manifest %d", i)
		}
	}
}
