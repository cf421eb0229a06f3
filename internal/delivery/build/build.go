// Package build builds a container image for every platform and puts it into a
// registry by digest, or into an OCI layout.
//
// Two engines build, and give the same image: one assembles a Dockerfile that
// executes nothing, the other hands the build to BuildKit. What leaves the
// package is one OCI index without attestation manifests, pushed untagged and
// last, so that nobody can deploy it by name before it is scanned and signed,
// and an interrupted build leaves nothing that looks whole.
//
// The package runs nothing and reads no environment: whoever calls it hands it
// the engines, the registry and the time.
package build

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// The engines.
const (
	Auto     = "auto"
	Assemble = "assemble"
	BuildKit = "buildkit"
)

// Request is what to build.
type Request struct {
	Context    string // directory
	Dockerfile string // path; empty is the DefaultDockerfile of Context
	Target     string // stage; empty is the last one
	Platforms  []Platform
	Args       map[string]string
	Secrets    []Secret // need BuildKit
	Labels     map[string]string
	// Epoch is the time of the image. What is newer gets it too.
	Epoch   time.Time
	Tracked *Tracked // of the context; nil where git does not say
	// Warn, if not nil, is called with each warning about the Dockerfile.
	Warn func(Warning)
	// CacheFrom and CacheTo are BuildKit's cache descriptions, TYPE,KEY=VALUE.
	CacheFrom, CacheTo []string
	// Cache is REPOSITORY:TAG of the cache that is kept beside the image, to which
	// the platforms are added; none if empty.
	Cache       string
	Compression Compression // of the layers
	// Push is where the image goes. An engine may push images of platforms there,
	// untagged; Deliver pushes what is left, and the index.
	Push []name.Repository
	Extras
}

// Warning is a finding of BuildKit's checks, or another warning of it.
// https://docs.docker.com/reference/build-checks/
type Warning struct {
	Path    string // of the Dockerfile
	Line    int    // 0 where it is unknown
	Rule    string // StageNameCasing; empty for other warnings
	URL     string // that explains the rule
	Message string
}

func (w Warning) String() string {
	text := w.Message
	if w.Rule != "" {
		text = w.Rule + ": " + text
	}
	if w.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", w.Path, w.Line, text)
	}
	return w.Path + ": " + text
}

// Secret is what a RUN --mount=type=secret may read, from a file or as the
// value of an environment variable.
type Secret struct {
	ID    string
	File  string
	Value []byte // used when File is empty
}

// Built is what an engine made: an image for each platform, in the order of
// Request.Platforms.
type Built struct {
	Images     []Image
	BaseImages []evidence.BaseImage
	Steps      []Step // that BuildKit carried out
	// Close removes the files that hold the layers.
	Close func() error
}

// Step is a step of the Dockerfile.
type Step struct {
	Name    string  `json:"name"`    // [linux/arm64 build 2/4] RUN make
	Cached  bool    `json:"cached"`  // whether its result was there already
	Seconds float64 `json:"seconds"` // that it took
}

// Image is the image of one platform.
type Image struct {
	Platform Platform
	Image    v1.Image
	Took     time.Duration
}

// Size is the number of bytes that a node without any of it downloads.
func (i Image) Size() (size int64) {
	manifest, err := i.Image.Manifest()
	if err != nil {
		return 0
	}
	for _, l := range manifest.Layers {
		size += l.Size
	}
	return size + manifest.Config.Size
}

// Engine builds the images of a request. The Dockerfile has been read already.
type Engine interface {
	Build(ctx context.Context, r Request, d *Dockerfile) (Built, error)
}

// NeedsBuildKit is reported by the assemble engine for an instruction that it
// does not carry out.
type NeedsBuildKit struct {
	Path   string
	Line   int
	What   string // the instruction
	Reason string // why it needs BuildKit
}

func (e *NeedsBuildKit) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s, which needs BuildKit", e.Path, e.Line, e.What, e.Reason)
}

func (e *NeedsBuildKit) where() string { return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Reason) }

// Choice is the engine that a request gets, and why.
type Choice struct {
	Engine string
	Reason string
}

// Choose picks the engine for a request and checks what can be checked before
// anything is built. A wish for assemble that cannot be met is an error.
func Choose(wish string, r Request, d *Dockerfile) (Choice, error) {
	if err := d.Check(r); err != nil {
		return Choice{}, err
	}
	if wish == BuildKit {
		return Choice{BuildKit, "as asked"}, nil
	}
	if len(r.Contexts) > 0 {
		if wish == Assemble {
			return Choice{}, outcome.Usagef("--build-context needs BuildKit: give --engine auto or buildkit")
		}
		return Choice{BuildKit, "other build contexts are given"}, nil
	}
	for _, p := range r.Platforms {
		blocker, err := d.executes(r.Target, p, r.Args)
		if err != nil {
			return Choice{}, err
		}
		if blocker == nil {
			continue
		}
		if wish == Assemble {
			return Choice{}, blocker
		}
		return Choice{BuildKit, blocker.where()}, nil
	}
	return Choice{Assemble, "Dockerfile executes nothing: built without BuildKit"}, nil
}

// Run builds the request with the engine it gets. chosen is told which and why
// before the building begins, and again where an assembled build meets what
// only BuildKit can do and auto hands it over.
func Run(
	ctx context.Context, engines map[string]Engine, wish string, r Request, d *Dockerfile, chosen func(Choice),
) (Built, string, error) {
	choice, err := Choose(wish, r, d)
	if err != nil {
		return Built{}, "", err
	}
	chosen(choice)
	built, err := engines[choice.Engine].Build(ctx, r, d)
	var needs *NeedsBuildKit
	if wish == Auto && choice.Engine == Assemble && errors.As(err, &needs) {
		choice = Choice{BuildKit, needs.where()}
		chosen(choice)
		built, err = engines[BuildKit].Build(ctx, r, d)
	}
	return built, choice.Engine, err
}
