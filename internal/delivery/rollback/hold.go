package rollback

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// holds says what keeps out the digests that a rollback leaves behind. It refuses
// to return to a digest that is kept out itself.
func (r *Roller) holds(ctx context.Context, w write) (file []byte, note string, err error) {
	for _, image := range w.moving.Images() {
		kept, err := hold.Reasons(ctx, r.Repo, hold.Entry{Rev: w.head, App: w.app, Env: w.env.Name, Image: image, Returning: true})
		if err != nil {
			return nil, "", err
		}
		if len(kept) > 0 {
			return nil, "", outcome.Refusedf("%s: %s: %s → %s", hold.Rule, image.Short(), kept[0].Detail, kept[0].Remedy)
		}
	}
	h := hold.Hold{App: w.app.Name, Env: w.env.Name}
	if w.held != nil {
		if h = hold.Parse(hold.Path(h.App, h.Env), w.held, h.App, h.Env); len(h.Digests) == 0 {
			return w.held, fmt.Sprintf("%s stays held: %s", w.env.Name, h.Reason), nil
		}
	}
	h.Reason = visible(w.req.Reason, h.Reason, "rolled back")
	left := slices.DeleteFunc(w.was.At(w.moving), func(image imageref.Ref) bool { return !history.Runs(image) })
	if len(left) == 0 {
		return w.held, "", nil
	}
	for _, image := range left {
		if !slices.Contains(h.Digests, image.Digest()) {
			h.Digests = append(h.Digests, image.Digest())
		}
	}
	return h.File(), "", nil
}

// visible is the first text that people can see something of.
func visible(texts ...string) string {
	for _, t := range texts {
		if text.Shows(t) {
			return t
		}
	}
	return ""
}

func (w write) changes() []configrepo.Change {
	changes := []configrepo.Change{{Path: w.change.Place.File, Content: w.change.After}}
	if !bytes.Equal(w.hold, w.held) {
		changes = append(changes, configrepo.Change{Path: hold.Path(w.app.Name, w.env.Name), Content: w.hold})
	}
	return changes
}

// holdIn reports whether the hold of a branch keeps out what this one does; the
// reasons may differ.
func (w write) holdIn(branch []byte) bool {
	if branch == nil || w.hold == nil {
		return w.hold == nil
	}
	parse := func(data []byte) hold.Hold {
		return hold.Parse(hold.Path(w.app.Name, w.env.Name), data, w.app.Name, w.env.Name)
	}
	return parse(branch).Covers(parse(w.hold))
}
