package assemble

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/sys/user"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

// act gives the tree that the actions of one file operation make.
func (g *graph) act(op *pb.FileOp, inputs []*state) (*node, error) {
	results := make([]*node, len(op.Actions))
	input := func(i int64) (*node, error) {
		switch {
		case i < 0:
			return g.emptyDir(), nil
		case int(i) < len(inputs):
			return inputs[i].tree()
		case int(i)-len(inputs) < len(results):
			return results[int(i)-len(inputs)], nil
		}
		return nil, fmt.Errorf("the converted Dockerfile names an input that is not there: %d", i)
	}
	var out *node
	for i, action := range op.Actions {
		base, err := input(action.Input)
		if err != nil {
			return nil, err
		}
		e := newEditor(base, g.now())
		switch what := action.Action.(type) {
		case *pb.FileAction_Copy:
			err = g.copy(e, what.Copy, action.SecondaryInput, input)
		case *pb.FileAction_Mkdir:
			err = g.mkdir(e, what.Mkdir, input)
		case *pb.FileAction_Mkfile:
			err = g.mkfile(e, what.Mkfile, input)
		default:
			err = errors.New("an action that cannot be assembled")
		}
		if err != nil {
			return nil, err
		}
		results[i] = e.root
		if action.Output >= 0 {
			out = e.root
		}
	}
	return out, nil
}

type inputs func(i int64) (*node, error)

func (g *graph) copy(e *editor, action *pb.FileActionCopy, secondary int64, input inputs) error {
	from, err := input(secondary)
	if err != nil {
		return err
	}
	who, err := g.chown(action.Owner, input)
	if err != nil {
		return err
	}
	c := &copier{from: from, to: e, action: action, who: who}
	c.unpack = func(archive *node, dest string) (bool, error) { return g.unpack(e, archive, dest, who) }
	err = c.run()
	if errors.Is(err, errNotFound) && from == g.context {
		return g.missing(action, err)
	}
	return err
}

func (g *graph) mkdir(e *editor, action *pb.FileActionMkDir, input inputs) error {
	who, err := g.chown(action.Owner, input)
	if err != nil {
		return err
	}
	p, _, err := resolve(e.root, action.Path, true)
	if err != nil {
		return err
	}
	return e.mkdirAll(p, fs.FileMode(action.Mode), who)
}

func (g *graph) mkfile(e *editor, action *pb.FileActionMkFile, input inputs) error {
	who, err := g.chown(action.Owner, input)
	if err != nil {
		return err
	}
	p, _, err := resolve(e.root, action.Path, true)
	if err != nil {
		return err
	}
	data := action.Data
	n := &node{
		mode: fs.FileMode(action.Mode) & fs.ModePerm, size: int64(len(data)), mtime: e.now, origin: hashKey("file", string(data)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
	if who != nil {
		n.uid, n.gid = who.uid, who.gid
	}
	return e.put(p, n)
}

// chown reads who new files belong to. A name is looked up in the /etc/passwd
// and /etc/group of the stage. Where it is not found, the files are root's, as in
// BuildKit, and the user is warned.
func (g *graph) chown(opt *pb.ChownOpt, input inputs) (*owner, error) {
	if opt == nil {
		return nil, nil
	}
	who := &owner{}
	switch u := opt.GetUser().GetUser().(type) {
	case *pb.UserOpt_ByID:
		who.uid, who.gid = int(u.ByID), int(u.ByID)
	case *pb.UserOpt_ByName:
		found, err := users.find(g, input, u.ByName)
		if err != nil {
			return nil, err
		}
		if found != nil {
			who.uid, who.gid = found.Uid, found.Gid
		}
	}
	switch u := opt.GetGroup().GetUser().(type) {
	case *pb.UserOpt_ByID:
		who.gid = int(u.ByID)
	case *pb.UserOpt_ByName:
		found, err := groups.find(g, input, u.ByName)
		if err != nil {
			return nil, err
		}
		if found != nil {
			who.gid = found.Gid
		}
	}
	return who, nil
}

// accountFile is a file that names are looked up in.
type accountFile[T any] struct {
	what, path string
	parse      func(io.Reader, func(T) bool) ([]T, error)
	name       func(T) string
}

var (
	users  = accountFile[user.User]{"user", "/etc/passwd", user.ParsePasswdFilter, func(u user.User) string { return u.Name }}
	groups = accountFile[user.Group]{"group", "/etc/group", user.ParseGroupFilter, func(g user.Group) string { return g.Name }}
)

// find is the account of a name; nil, with a warning, where there is none.
func (f accountFile[T]) find(g *graph, input inputs, name *pb.NamedUserOpt) (*T, error) {
	data, err := g.accounts(input, name, f.what, f.path)
	if err != nil {
		return nil, err
	}
	found, err := f.parse(bytes.NewReader(data), func(account T) bool { return f.name(account) == name.Name })
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		text := fmt.Sprintf("no %s %q in %s of the stage: the files are root's, as with BuildKit", f.what, name.Name, f.path)
		g.warn(build.Warning{Path: g.file.Path, Message: text})
		return nil, nil
	}
	return &found[0], nil
}

// accounts reads the file that a name is looked up in. An empty stage has none,
// which BuildKit refuses too.
func (g *graph) accounts(input inputs, name *pb.NamedUserOpt, what, p string) ([]byte, error) {
	if name.Input < 0 {
		return nil, fmt.Errorf("no %s %q in %s of this stage: give a number", what, name.Name, p)
	}
	return readAccounts(input, name.Input, p)
}

func readAccounts(input inputs, i int64, p string) ([]byte, error) {
	root, err := input(i)
	if err != nil {
		return nil, err
	}
	_, n, err := resolve(root, p, true)
	if err != nil || n == nil || !n.mode.IsRegular() {
		return nil, err
	}
	if n.open == nil {
		return nil, fmt.Errorf("%s was not kept", p)
	}
	r, err := n.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, layerfile.MaxAccounts))
}

// missing explains a COPY from the context that found nothing.
func (g *graph) missing(action *pb.FileActionCopy, err error) error {
	if why := g.source.excludes(path.Clean(action.Src)); why != "" {
		return fmt.Errorf("%w in the build context: %s", err, why)
	}
	return fmt.Errorf("%w in the build context %s", err, g.source.dir)
}
