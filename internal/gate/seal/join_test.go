package seal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A joined plan opens as one plan, from a directory and from a registry. It refuses
// parts that do not make exactly the roots that it lists.
func TestJoinedPlans(t *testing.T) {
	t.Parallel()
	identity, to := key(t)
	client := registry.New(registry.Options{})
	part := func(place seal.Place, name string, change func(*seal.Bundle)) string {
		b := bundle(t, []byte("plan of "+name))
		b.Document.Roots[0].Dir, b.Document.Roots[0].Workspace = "infra/"+name, "default"
		change(&b)
		if err := place.SavePart(t.Context(), client, name, sealed(t, b, to), []byte(name)); err != nil {
			t.Fatal(err)
		}
		where, said, found, err := place.FindPart(t.Context(), client, name)
		if err != nil || !found || string(said) != name {
			t.Fatalf("%s: %q %v %v", where, said, found, err)
		}
		return where
	}
	same := func(*seal.Bundle) {}
	order := func(names ...string) (o []seal.JoinedRoot) {
		for _, n := range names {
			o = append(o, seal.JoinedRoot{Dir: "infra/" + n, Workspace: "default"})
		}
		return o
	}
	for _, text := range []string{t.TempDir(), "oci://" + registrytest.New(t, nil).Host + "/plans"} {
		place, err := seal.ParsePlace(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, found, err := place.FindPart(t.Context(), client, "none"); found || err != nil {
			t.Errorf("a part that is not there: %v %v", found, err)
		}
		elsewhere, _ := seal.ParsePlace(map[bool]string{true: text + "-other", false: t.TempDir()}[strings.HasPrefix(text, "oci")])
		one, two := part(place, "one", same), part(place, "two", func(b *seal.Bundle) { b.Expires = now.Add(time.Minute) })
		joined := func(order []seal.JoinedRoot, parts ...string) seal.Joined {
			return seal.Joined{Parts: parts, Order: order}
		}
		head := part(place, "head", func(b *seal.Bundle) { b.Document.Head = "i" })
		gone := part(place, "gone", func(b *seal.Bundle) { b.Document.Removed = []roots.Removed{{Dir: "x"}} })
		other := part(place, "other", func(b *seal.Bundle) { b.Document.Repository = "acme/x" })
		for name, c := range map[string]struct {
			joined seal.Joined
			expect seal.Expect
			reason string
		}{
			"whole":           {joined(order("two", "one"), one, two), seal.Expect{}, ""},
			"a part less":     {joined(order("one", "two"), one), seal.Expect{}, "its parts hold 1 roots, and it lists 2"},
			"a part twice":    {joined(order("one", "two"), one, one), seal.Expect{}, "do not hold infra/two in workspace"},
			"a root twice":    {joined(order("one", "one"), one, one), seal.Expect{}, "do not hold infra/one in workspace"},
			"a root not said": {joined(order("one"), one, two), seal.Expect{}, "its parts hold 2 roots, and it lists 1"},
			"nothing":         {seal.Joined{}, seal.Expect{}, "its parts hold 0 roots"},
			"too many parts": {
				joined(order("one"), slices.Repeat([]string{one}, 257)...), seal.Expect{}, "it names 257 parts, and a plan has 256 at most",
			},
			"elsewhere": {
				joined(order("one", "two"), one, part(elsewhere, "two", same)), seal.Expect{}, "which is not kept beside it",
			},
			"another commit": {joined(order("one", "head"), one, head), seal.Expect{}, "its parts are of different commits: h and i"},
			"a root that a part takes away": {
				joined(order("one", "gone"), one, gone), seal.Expect{}, "one of its parts takes a root away",
			},
			"another repository, and none is expected": {
				joined(order("one", "other"), one, other), seal.Expect{}, "its parts are of different commits: h and h",
			},
			"no root": {joined(nil, one), seal.Expect{}, "its parts hold 1 roots, and it lists 0"},
			"another repository": {
				joined(order("one", "other"), one, other), seal.Expect{Repository: "acme/infra"}, `it is of repository "acme/x"`,
			},
			"another plan": {joined(order("one", "two"), one, two), seal.Expect{Fingerprint: "000000000000"}, "not 0000 0000 0000"},
			"other roots": {
				joined(order("one", "two"), one, two), seal.Expect{Dirs: []string{"infra/one"}},
				"it has a plan of infra/two, which was not asked for",
			},
			"expired": {joined(order("one", "two"), one, two), seal.Expect{Now: now.Add(10 * time.Minute)}, "it expired"},
		} {
			data, err := c.joined.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			where, err := place.Save(t.Context(), client, seal.Kept{Fingerprint: "f", Sealed: data})
			if err != nil {
				t.Fatal(err)
			}
			if c.expect.Now.IsZero() {
				c.expect.Now = now
			}
			b, err := seal.Fetch(t.Context(), seal.Source{
				Plan: where, Registry: func(string) seal.Registry { return client },
				Identities: []seal.Identity{identity}, Expect: c.expect,
			})
			switch {
			case c.reason == "" && (err != nil || b.Document.Roots[0].Dir != "infra/two" || string(b.Roots[1].Binary) != "plan of one" ||
				!b.Expires.Equal(now.Add(time.Minute))):
				t.Errorf("%s: %+v %v", name, b, err)
			case c.reason != "" && (outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), c.reason)):
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Where several parts hold a root, the joined plan says from which one it is taken, of each
// root. A part may then take roots away: the joined plan says which are taken away now.
func TestJoinedPlansThatChoose(t *testing.T) {
	t.Parallel()
	identity, to := key(t)
	place, err := seal.ParsePlace(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	part := func(name, root string, removed ...roots.Removed) string {
		b := bundle(t, []byte("plan of "+name))
		b.Document.Roots[0].Dir, b.Document.Roots[0].Workspace, b.Document.Removed = "infra/"+root, "default", removed
		if err := place.SavePart(t.Context(), nil, name, sealed(t, b, to), []byte(name)); err != nil {
			t.Fatal(err)
		}
		where, _, _, err := place.FindPart(t.Context(), nil, name)
		if err != nil {
			t.Fatal(err)
		}
		return where
	}
	parts := []string{part("older", "one", roots.Removed{Dir: "old"}), part("newer", "one"), part("two", "two")}
	once := func(root string) string { return "do not hold infra/" + root + " in workspace default exactly once" }
	from := func(dir string, n int) seal.JoinedRoot {
		return seal.JoinedRoot{Dir: "infra/" + dir, Workspace: "default", From: n}
	}
	for name, c := range map[string]struct {
		order  []seal.JoinedRoot
		reason string
		binary string // of the last root
	}{
		"the newer one":       {[]seal.JoinedRoot{from("two", 3), from("one", 2)}, "", "plan of newer"},
		"the older one":       {[]seal.JoinedRoot{from("two", 3), from("one", 1)}, "", "plan of older"},
		"both":                {[]seal.JoinedRoot{from("one", 1), from("one", 2)}, once("one"), ""},
		"another part":        {[]seal.JoinedRoot{from("one", 3), from("two", 3)}, once("one"), ""},
		"one that is open":    {[]seal.JoinedRoot{from("two", 3), from("one", 0)}, "one of its parts takes a root away", ""},
		"a part that is none": {[]seal.JoinedRoot{from("two", 4), from("one", 2)}, once("two"), ""},
	} {
		removed := []roots.Removed{{Dir: "now"}}
		data, err := seal.Joined{Parts: parts, Order: c.order, Removed: removed}.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		where, err := place.Save(t.Context(), nil, seal.Kept{Fingerprint: "f", Sealed: data})
		if err != nil {
			t.Fatal(err)
		}
		b, err := seal.Fetch(t.Context(), seal.Source{Plan: where, Identities: []seal.Identity{identity}, Expect: seal.Expect{Now: now}})
		switch {
		case c.reason == "" && (err != nil || len(b.Roots) != 2 || string(b.Roots[1].Binary) != c.binary ||
			!slices.Equal(b.Document.Removed, removed)):
			t.Errorf("%s: %+v %v", name, b, err)
		case c.reason != "" && (outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is said of the parts of a plan is kept with it, and read from there alone.
func TestWhatIsSaidOfParts(t *testing.T) {
	t.Parallel()
	client := registry.New(registry.Options{})
	for _, text := range []string{t.TempDir(), "oci://" + registrytest.New(t, nil).Host + "/plans"} {
		place, err := seal.ParsePlace(text)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := seal.ParsePlace(map[bool]string{true: text + "-other", false: t.TempDir()}[strings.HasPrefix(text, "oci")])
		save := func(at seal.Place, k seal.Kept) string {
			where, err := at.Save(t.Context(), client, k)
			if err != nil {
				t.Fatal(err)
			}
			return where
		}
		load := func(where string) ([]seal.Standing, error) {
			return seal.LoadParts(t.Context(), seal.Source{Plan: where, Registry: func(string) seal.Registry { return client }})
		}
		joined := func(parts ...string) string {
			data, err := seal.Joined{Parts: parts}.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			return save(place, seal.Kept{Fingerprint: "f", Sealed: data})
		}
		one := save(place, seal.Kept{Fingerprint: "1", Sealed: []byte("one"), Part: []byte("said of one")})
		silent := save(place, seal.Kept{Fingerprint: "2", Sealed: []byte("two")})
		elsewhere := save(other, seal.Kept{Fingerprint: "3", Sealed: []byte("three"), Part: []byte("said of three")})
		if said, err := load(one); err != nil || len(said) != 1 || said[0].Where != one || string(said[0].Said) != "said of one" {
			t.Errorf("%s: %+v %v", text, said, err)
		}
		if said, err := load(joined(one, one)); err != nil || len(said) != 2 || string(said[1].Said) != "said of one" {
			t.Errorf("%s: %+v %v", text, said, err)
		}
		for where, says := range map[string]string{
			silent: "", joined(one, elsewhere): "which is not kept beside it",
			joined(slices.Repeat([]string{one}, 257)...): "its list of parts cannot be read",
		} {
			if _, err := load(where); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", where, err)
			}
		}
		if !place.Holds(one) || place.Holds(elsewhere) || other.Holds(one) || !other.Holds(elsewhere) || place.Holds("oci://") {
			t.Errorf("%s holds what is not kept there, or not what is", text)
		}
	}
}
