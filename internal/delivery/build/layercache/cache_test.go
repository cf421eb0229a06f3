//go:build unix

package layercache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// place is where a cache is, and what it warned of.
type place struct {
	Options
	warned []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{Options: Options{Dir: filepath.Join(t.TempDir(), "layers"), Key: filepath.Join(t.TempDir(), "keys", "key")}}
	p.Warn = func(text string) { p.warned = append(p.warned, text) }
	return p
}

// open opens the cache as another process would.
func (p *place) open(t *testing.T) *Cache {
	t.Helper()
	c := Open(p.Options)
	t.Cleanup(func() { c.Close() })
	return c
}

func content(e Entry) (string, error) {
	var text bytes.Buffer
	err := e.Copy(&text)
	return text.String(), err
}

func TestEntriesAreFoundByAnotherProcess(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.open(t).PutBytes("one", []byte("content"))
	found, ok := p.open(t).Find("one")
	if !ok || found.Size != 7 {
		t.Fatalf("%+v, %v, warned %q", found, ok, p.warned)
	}
	if text, err := content(found); err != nil || text != "content" {
		t.Errorf("%q, %v", text, err)
	}
	if _, ok := p.open(t).Find("two"); ok || len(p.warned) > 0 {
		t.Errorf("what is not there was found, or there was a warning: %q", p.warned)
	}
}

// Whatever somebody does to the file of an entry, it is not used: one warning says
// why, and what is written in its place is found again.
func TestDamagedEntriesAreNotUsed(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		damage func(file string, data []byte) error
		says   string
	}{
		"empty": {func(file string, _ []byte) error { return os.Truncate(file, 0) }, "it has no header"},
		"no line": {
			func(file string, _ []byte) error { return os.WriteFile(file, bytes.Repeat([]byte("x"), 5000), 0o600) }, "it has no header",
		},
		"shortened": {func(file string, data []byte) error { return os.Truncate(file, int64(len(data)-1)) }, "it has another size"},
		"lengthened": {
			func(file string, data []byte) error { return os.WriteFile(file, append(data, 0), 0o600) }, "it has another size",
		},
		"another header": {
			func(file string, data []byte) error {
				return os.WriteFile(file, bytes.Replace(data, []byte(`"size":7`), []byte(`"size":6`), 1), 0o600)
			}, "this machine did not write it",
		},
		"without a code": {
			func(file string, data []byte) error { return os.WriteFile(file, data[64:], 0o600) }, "this machine did not write it",
		},
		"another content": {
			func(file string, data []byte) error {
				return os.WriteFile(file, bytes.Replace(data, []byte("content"), []byte("CONTENT"), 1), 0o600)
			}, "its content has another digest",
		},
		"another entry": {
			func(file string, _ []byte) error {
				others, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
				if err != nil {
					return err
				}
				for _, other := range others {
					if data, err := os.ReadFile(other); err != nil || other != file {
						return os.WriteFile(file, data, 0o600)
					}
				}
				return os.ErrNotExist
			}, "this machine did not write it",
		},
		"a pipe": {
			func(file string, _ []byte) error {
				if err := os.Remove(file); err != nil {
					return err
				}
				return syscall.Mkfifo(file, 0o600)
			}, "it has no header",
		},
		"a directory": {
			func(file string, _ []byte) error {
				if err := os.Remove(file); err != nil {
					return err
				}
				return os.MkdirAll(filepath.Join(file, "in", "it"), 0o700)
			}, "it has no header",
		},
		"a link that leads out": {
			func(file string, data []byte) error {
				copied := filepath.Join(filepath.Dir(file), "..", "copied")
				if err := os.WriteFile(copied, data, 0o600); err != nil {
					return err
				}
				if err := os.Remove(file); err != nil {
					return err
				}
				return os.Symlink(copied, file)
			}, "path escapes from parent",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			c := p.open(t)
			c.PutBytes("other", []byte("another"))
			c.PutBytes("one", []byte("content"))
			file := filepath.Join(p.Dir, c.file("one"))
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.damage(file, data); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second one finds nothing
				if found, ok := c.Find("one"); ok {
					text, err := content(found)
					if err == nil {
						t.Fatalf("%q was used", text)
					}
					found.Damaged(err)
				}
			}
			if len(p.warned) != 1 || !strings.Contains(p.warned[0], "an entry of the layer cache "+p.Dir+" is damaged: ") ||
				!strings.Contains(p.warned[0], test.says) {
				t.Errorf("warned %q, want once of %q", p.warned, test.says)
			}
			c.PutBytes("one", []byte("content"))
			if found, ok := c.Find("one"); !ok || found.Size != 7 {
				t.Errorf("written again, it is not found: %q", p.warned)
			}
		})
	}
}

// What was written with another key was not written here: a directory that comes from
// another machine is worth nothing.
func TestEntriesBelongToTheKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := p.open(t)
	c.PutBytes("one", []byte("content"))
	written := c.file("one")
	if err := os.Remove(p.Key); err != nil {
		t.Fatal(err)
	}
	c = p.open(t)
	if err := os.Rename(filepath.Join(p.Dir, written), filepath.Join(p.Dir, c.file("one"))); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Find("one"); ok || len(p.warned) != 1 || !strings.Contains(p.warned[0], "this machine did not write it") {
		t.Errorf("found %v, warned %q", ok, p.warned)
	}
}

// A directory or key that somebody else may write, or read the key of, is not used.
func TestPlacesOfOthersAreNotUsed(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		change func(p *place) error
		says   string
	}{
		"directory of all":     {func(p *place) error { return os.Chmod(p.Dir, 0o777) }, "layers can be written by other users"},
		"directory of a group": {func(p *place) error { return os.Chmod(p.Dir, 0o770) }, "layers can be written by other users"},
		"key that all write":   {func(p *place) error { return os.Chmod(p.Key, 0o602) }, "key can be written by other users"},
		"key that all read":    {func(p *place) error { return os.Chmod(p.Key, 0o604) }, "key is no key that its owner alone can read"},
		"short key":            {func(p *place) error { return os.Truncate(p.Key, 3) }, "key is no key that its owner alone can read"},
		"file":                 {func(p *place) error { p.Dir = p.Key; return nil }, "not a directory"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.open(t)
			if err := test.change(p); err != nil {
				t.Fatal(err)
			}
			c := p.open(t)
			if c != nil || len(p.warned) != 1 || !strings.HasPrefix(p.warned[0], "no layer is kept for the next build: ") ||
				!strings.Contains(p.warned[0], test.says) {
				t.Errorf("opened %v, warned %q, want %q", c != nil, p.warned, test.says)
			}
			c.PutBytes("one", nil) // and none keeps nothing
			if _, ok := c.Find("one"); ok {
				t.Error("no cache has an entry")
			}
		})
	}
}

// What was not used for the longest time goes first, and what is too large is not kept.
func TestLimit(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.Limit = 4 << 10
	c := p.open(t)
	c.PutBytes("large", make([]byte, 3<<10))
	if _, ok := c.Find("large"); ok {
		t.Error("an entry of more than half of the limit was kept")
	}
	ages := map[string]time.Duration{"a": 3 * time.Hour, "b": 2 * time.Hour, "c": time.Hour}
	for name, age := range ages {
		c.PutBytes(name, make([]byte, 1<<10))
		if at := time.Now().Add(-age); os.Chtimes(filepath.Join(p.Dir, c.file(name)), at, at) != nil {
			t.Fatal("the entry has no file")
		}
	}
	if _, ok := c.Find("a"); !ok { // which makes it the newest
		t.Fatal("a is gone already")
	}
	c.PutBytes("d", make([]byte, 1<<10))
	left := ""
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, ok := c.Find(name); ok {
			left += name
		}
	}
	if left != "acd" || len(p.warned) > 0 {
		t.Errorf("%q is left, want acd; warned %q", left, p.warned)
	}
}

// Several processes that write and read the same entries at once see each whole, or
// not at all.
func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.Limit = 64 << 10 // so that entries also go
	p.Warn = func(text string) { t.Errorf("warned: %s", text) }
	var group sync.WaitGroup
	for range 4 {
		c := Open(p.Options)
		defer c.Close()
		group.Go(func() {
			for i := range 200 {
				name := strconv.Itoa(i % 9)
				want := strings.Repeat(name, 10<<10)
				if found, ok := c.Find(name); ok {
					text, err := content(found)
					if !os.IsNotExist(err) && (err != nil || text != want) {
						t.Errorf("%s: %v, %d bytes", name, err, len(text))
					}
				}
				c.PutBytes(name, []byte(want))
			}
		})
	}
	group.Wait()
}

// An entry that goes between finding and reading it was not damaged: another process
// made room.
func TestEntriesThatGoAreNoDamage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := p.open(t)
	c.PutBytes("one", []byte("content"))
	found, ok := c.Find("one")
	if !ok {
		t.Fatal("it is not found")
	}
	if err := os.Remove(filepath.Join(p.Dir, c.file("one"))); err != nil {
		t.Fatal(err)
	}
	_, err := content(found)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("it is read: %v", err)
	}
	if found.Damaged(err); len(p.warned) != 0 {
		t.Errorf("warned %q", p.warned)
	}
}
