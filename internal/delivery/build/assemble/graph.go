package assemble

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

// state is what a stage is after an instruction: files, and the layers that
// make them. Both are worked out when they are asked for, once.
type state struct {
	key    string // the same for the same files and layers, on every platform
	tree   func() (*node, error)
	layers func() ([]v1.Layer, error)
}

// shared is what the platforms of one build have in common.
type shared struct {
	ctx     context.Context
	epoch   time.Time
	source  *buildContext
	context *node // the files of source
	bases   *resolver
	warn    func(build.Warning)
	store   *layerfile.Store // of layers

	mu     sync.Mutex
	states map[string]*state // by key
}

// share gives the state with the key: the one already there, so that what two
// platforms have in common is read and compressed once, else s.
func (e *shared) share(s *state) *state {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.states[s.key]; known != nil {
		return known
	}
	e.states[s.key] = s
	return s
}

// now is the time of what the build itself makes: newer than the epoch, so that
// it becomes the epoch in a layer.
func (e *shared) now() time.Time { return e.epoch.Add(time.Nanosecond) }

func (e *shared) emptyDir() *node {
	root := newDir(0o755, nil)
	root.mtime = e.now()
	return root
}

func (e *shared) scratch() *state {
	root := e.emptyDir()
	return e.share(&state{
		key:    "scratch",
		tree:   func() (*node, error) { return root, nil },
		layers: func() ([]v1.Layer, error) { return nil, nil },
	})
}

// graph is the converted Dockerfile of one platform.
type graph struct {
	*shared
	file    *build.Dockerfile
	ops     map[digest.Digest]*pb.Op
	lines   map[digest.Digest]int
	content map[digest.Digest]bool // operations whose files are copied from
	done    map[digest.Digest]*state
}

func newGraph(e *shared, file *build.Dockerfile, def *llb.Definition) (*graph, *pb.Input, error) {
	g := &graph{
		shared: e, file: file, ops: map[digest.Digest]*pb.Op{}, lines: map[digest.Digest]int{},
		content: map[digest.Digest]bool{}, done: map[digest.Digest]*state{},
	}
	var last *pb.Op
	for _, data := range def.Def {
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			return nil, nil, fmt.Errorf("read the converted Dockerfile: %w", err)
		}
		g.ops[digest.FromBytes(data)] = op
		last = op
	}
	for id, locations := range def.Source.GetLocations() {
		for _, l := range locations.GetLocations() {
			if len(l.GetRanges()) > 0 {
				g.lines[digest.Digest(id)] = int(l.Ranges[0].GetStart().GetLine())
			}
		}
	}
	for _, op := range g.ops {
		for _, action := range op.GetFile().GetActions() {
			if action.GetCopy() != nil && action.SecondaryInput >= 0 && int(action.SecondaryInput) < len(op.Inputs) {
				g.markContent(digest.Digest(op.Inputs[action.SecondaryInput].Digest))
			}
		}
	}
	if last == nil || len(last.Inputs) == 0 {
		return g, nil, nil // scratch
	}
	return g, last.Inputs[0], nil
}

func (g *graph) markContent(id digest.Digest) {
	if g.content[id] {
		return
	}
	g.content[id] = true
	for _, in := range g.ops[id].GetInputs() {
		g.markContent(digest.Digest(in.Digest))
	}
}

// eval gives the state that an operation makes. It reads no file yet.
func (g *graph) eval(in *pb.Input) (*state, error) {
	if in == nil {
		return g.scratch(), nil
	}
	id := digest.Digest(in.Digest)
	if s := g.done[id]; s != nil {
		return s, nil
	}
	op := g.ops[id]
	if op == nil {
		return nil, fmt.Errorf("the converted Dockerfile names an operation that is not in it: %s", id)
	}
	var inputs []*state
	for _, in := range op.Inputs {
		s, err := g.eval(in)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, s)
	}
	var s *state
	var err error
	switch what := op.Op.(type) {
	case *pb.Op_Source:
		s, err = g.open(id, op, what.Source)
	case *pb.Op_File:
		s, err = g.files(id, what.File, inputs)
	case *pb.Op_Merge:
		s = g.merge(what.Merge, inputs)
	case *pb.Op_Exec:
		err = g.needs(id, "executes a program")
	default:
		err = g.needs(id, "cannot be assembled")
	}
	if err != nil {
		return nil, err
	}
	g.done[id] = g.share(s)
	return g.done[id], nil
}

func (g *graph) open(id digest.Digest, op *pb.Op, source *pb.SourceOp) (*state, error) {
	switch scheme, _, _ := strings.Cut(source.Identifier, "://"); scheme {
	case "local":
		return &state{
			key:    "context",
			tree:   func() (*node, error) { return g.context, nil },
			layers: func() ([]v1.Layer, error) { return nil, errors.New("the build context has no layers") },
		}, nil
	case "docker-image":
		image, err := g.bases.open(source.Identifier, op.Platform)
		if err != nil {
			return nil, g.at(id, err)
		}
		hash, err := image.Digest()
		if err != nil {
			return nil, g.at(id, err)
		}
		content := g.content[id]
		layers := sync.OnceValues(func() ([]v1.Layer, error) { return g.store.Base(image) })
		return &state{
			key:    hashKey("image", hash.String(), fmt.Sprint(content)),
			layers: layers,
			tree: sync.OnceValues(func() (*node, error) {
				layers, err := layers()
				if err != nil {
					return nil, err
				}
				return g.imageTree(layers, content)
			}),
		}, nil
	default:
		return nil, g.needs(id, "downloads "+source.Identifier)
	}
}

// files carries out the copies and directories of one instruction, which make
// one layer.
func (g *graph) files(id digest.Digest, op *pb.FileOp, inputs []*state) (*state, error) {
	key, err := op.MarshalVT()
	if err != nil {
		return nil, err
	}
	parts := []string{"file", string(key)}
	for _, in := range inputs {
		parts = append(parts, in.key)
	}
	base := g.scratch()
	if first := op.Actions[0].Input; first >= 0 && int(first) < len(inputs) {
		base = inputs[first]
	}
	s := &state{key: hashKey(parts...)}
	s.tree = sync.OnceValues(func() (*node, error) {
		tree, err := g.act(op, inputs)
		return tree, g.at(id, err)
	})
	s.layers = sync.OnceValues(func() ([]v1.Layer, error) {
		var own *layerfile.Layer
		var failed error
		written := make(chan struct{})
		go func() {
			defer close(written)
			own, failed = g.layer(base, s)
		}()
		below, err := base.layers()
		<-written
		if err = cmp.Or(err, g.at(id, failed)); err != nil {
			return nil, err
		}
		return append(slices.Clone(below), own), nil
	})
	return s, nil
}

// layer writes what an instruction changes.
func (e *shared) layer(base, s *state) (*layerfile.Layer, error) {
	before, err := base.tree()
	if err != nil {
		return nil, err
	}
	after, err := s.tree()
	if err != nil {
		return nil, err
	}
	return e.writeLayer(before, after)
}

// merge is COPY --link: layers that know nothing of each other, one over the
// other.
func (g *graph) merge(op *pb.MergeOp, inputs []*state) *state {
	parts := []string{"merge"}
	var states []*state
	for _, in := range op.Inputs {
		states = append(states, inputs[in.Input])
		parts = append(parts, inputs[in.Input].key)
	}
	return &state{
		key: hashKey(parts...),
		tree: sync.OnceValues(func() (*node, error) {
			var merged *node
			for _, s := range states {
				upper, err := s.tree()
				if err != nil {
					return nil, err
				}
				if merged, err = overlay(merged, upper); err != nil {
					return nil, err
				}
			}
			return merged, nil
		}),
		layers: sync.OnceValues(func() ([]v1.Layer, error) {
			var all []v1.Layer
			for _, s := range states {
				layers, err := s.layers()
				if err != nil {
					return nil, err
				}
				all = append(all, layers...)
			}
			return all, nil
		}),
	}
}

// needs reports an instruction that is BuildKit's.
func (g *graph) needs(id digest.Digest, reason string) error {
	line := g.lines[id]
	return &build.NeedsBuildKit{Path: g.file.Path, Line: line, What: g.file.Line(line), Reason: reason}
}

// at puts path and line of the instruction in front of an error, once.
func (g *graph) at(id digest.Digest, err error) error {
	var there *locatedError
	var needs *build.NeedsBuildKit
	line := g.lines[id]
	if err == nil || line == 0 || errors.As(err, &there) || errors.As(err, &needs) {
		return err
	}
	return &locatedError{fmt.Errorf("%s:%d: %s: %w", g.file.Path, line, g.file.Line(line), err)}
}

type locatedError struct{ error }

func (e *locatedError) Unwrap() error { return e.error }

func hashKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
