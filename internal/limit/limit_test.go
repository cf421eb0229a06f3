package limit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// bomb is a document in which each line names the one before nine times.
func bomb(levels int) string {
	var out strings.Builder
	out.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(&out, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return out.String()
}

func TestYAMLRefuses(t *testing.T) {
	t.Parallel()
	var keys strings.Builder
	for i := range MaxKeys + 1 {
		fmt.Fprintf(&keys, "k%d: x\n", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"aliases":               {bomb(8), "more than 1000000 values once its aliases are followed"},
		"aliases in the second": {"a: b\n---\n" + bomb(8), "more than 1000000 values"},
		"merges":                {mergeBomb(25), "more than 1000000 values"},
		"a ring":                {"a: &a [*a]\n", "the alias *a stands inside of what it names"},
		"deep flow":             {strings.Repeat("[", 500) + strings.Repeat("]", 500), "nested more than 200 levels deep"},
		"deep block":            {strings.Repeat("- ", 500) + "x\n", "nested more than 200 levels deep"},
		"deep by aliases":       {chain(30, 20), "nested more than 200 levels deep"},
		"keys":                  {keys.String(), "the mapping has more than 20000 keys"},
		"length":                {"a: " + strings.Repeat("x", MaxBytes), "Waybill reads YAML up to 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := YAML("f.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.yaml") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if !TooMuch(err) {
				t.Errorf("%v is not marked as too much", err)
			}
		})
	}
}

// What is neither UTF-8 nor UTF-16 is refused with the line that has it, and is not too much.
func TestDocumentsAreText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"UTF-16, little":     {"\xff\xfea\x00", ""},
		"UTF-16, big":        {"\xfe\xff\x00a", ""},
		"Latin-1":            {"a: 1\nb: \u00fc\nc: f\xfcr\nd: 1\n", "f.yaml:3: the line is not written in UTF-8: save the file as UTF-8"},
		"the last byte":      {"a: 1\n# \xc3", "f.yaml:2: the line is not written in UTF-8: save the file as UTF-8"},
		"a byte order mark":  {"\ufeffa: 1\n", ""},
		"what replaces some": {"a: \ufffd\n", ""},
	} {
		_, err := Documents("f.yaml", []byte(c.text))
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want || TooMuch(err) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// mergeBomb doubles by merge keys.
func mergeBomb(levels int) string {
	var out strings.Builder
	out.WriteString("a0: &a0 {k: v}\n")
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(&out, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i-1, i-1)
	}
	return out.String()
}

// chain nests by aliases what is not deep where it is written.
func chain(links, depth int) string {
	var out strings.Builder
	out.WriteString("a0: &a0 x\n")
	for i := 1; i <= links; i++ {
		fmt.Fprintf(&out, "a%d: &a%d %s*a%d%s\n", i, i, strings.Repeat("[", depth), i-1, strings.Repeat("]", depth))
	}
	return out.String()
}

func TestYAMLTakesWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	var bundle strings.Builder
	for i := range 5000 {
		fmt.Fprintf(
			&bundle,
			"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d, labels: &l {app: x}}\ndata: {a: \"1 & 2 * 3\", b: "+
				"'x'}\nspec: {selector: *l}\n",
			i,
		)
	}
	for name, text := range map[string]string{
		"empty": "", "a bundle": bundle.String(), "a long text": "a: |\n" + strings.Repeat("  [{,:?- text\n", 100_000),
	} {
		if err := YAML("f.yaml", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := YAML("f.yaml", []byte("a: &a [*b]\n")); err == nil || TooMuch(err) || !strings.Contains(err.Error(), "unknown anchor 'b'") {
		t.Errorf("a mistake: %v", err)
	}
}

func TestDoStopsWaiting(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	defer close(forever)
	stuck := func() (int, error) { <-forever; return 0, nil }
	if _, err := within(t.Context(), "rendering x", time.Millisecond, stuck); !errors.As(err, new(*Exceeded)) ||
		!strings.Contains(err.Error(), "rendering x takes longer than 1ms: given up") {
		t.Errorf("too long: %v", err)
	}
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Do(ctx, "x", stuck); !errors.Is(err, why) {
		t.Errorf("the context has ended: %v", err)
	}
	if _, err := Do(t.Context(), "rendering y", func() (int, error) { panic("no such node") }); err == nil ||
		!strings.Contains(err.Error(), "rendering y: the library that does it stopped with: no such node") {
		t.Errorf("a panic: %v", err)
	}
	if n, err := Do(t.Context(), "x", func() (int, error) { return 3, nil }); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestCommandEnds(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	defer close(forever)
	run := func(g guard, f func(context.Context) error) error {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		return g.run(ctx, cancel, func() error { return f(ctx) })
	}
	used := func(n uint64) func() uint64 { return func() uint64 { return n } }
	polite := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	rude := func(context.Context) error { <-forever; return nil }
	for name, c := range map[string]struct {
		guard guard
		f     func(context.Context) error
		want  string
	}{
		"too much memory":      {guard{used(5 << 20), 4 << 20, 8 << 20, time.Hour}, polite, "more than 4 MiB of memory: given up"},
		"and it goes on":       {guard{used(5 << 20), 4 << 20, 8 << 20, time.Millisecond}, rude, "more than 4 MiB of memory: given up"},
		"far too much memory":  {guard{used(9 << 20), 4 << 20, 8 << 20, time.Hour}, rude, "more than 8 MiB of memory: stopped"},
		"an error of its own":  {guard{used(0), 1, 1, time.Hour}, func(context.Context) error { return errors.New("own") }, "own"},
		"an answer, just then": {guard{used(0), 1, 1, time.Hour}, func(context.Context) error { return nil }, ""},
	} {
		err := run(c.guard, c.f)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(nil)
	g := guard{memory: used(0), soft: 1, hard: 1, grace: time.Millisecond}
	if err := g.run(ctx, interrupt, func() error { <-forever; return nil }); err == nil ||
		!strings.Contains(err.Error(), "was interrupted, and did not end within 1ms: stopped") {
		t.Errorf("interrupted: %v", err)
	}
}
