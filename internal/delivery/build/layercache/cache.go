// Package layercache keeps compressed layers, and what was read of base images, on the
// disk of one machine.
//
// Nothing that lies in its directory is believed. Each entry says which name and
// which content belong together, authenticated with a key that lies elsewhere, and
// the content is hashed when it is read. Somebody who may write to the directory can
// therefore make a build slow, and cannot change what it builds. An entry that is not
// as it was written is removed, with one warning.
//
// Somebody who can also read the key is the same user on the same machine, and can
// replace the program as well. Directories and keys that other users may write to are
// not used.
package layercache

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// DefaultLimit bounds the bytes of a cache.
const DefaultLimit = 2 << 30

// Options say where a cache is. The zero value is none.
type Options struct {
	Dir string // of the entries; it is made if it is not there
	// Key is the file of the key, outside of Dir. It is made if it is not there.
	Key   string
	Limit int64 // of bytes in Dir, DefaultLimit if 0; what was not used for the longest time goes first
	// Warn, if not nil, is called at most once, with what is wrong with the cache.
	Warn func(string)
}

// Cache keeps entries. A nil Cache keeps nothing. It is safe for concurrent use, also
// by several processes.
type Cache struct {
	root *os.Root
	key  []byte
	Options
	warned sync.Once
}

// Open opens a cache, and makes it if it is not there. It returns nil, with a warning,
// where it cannot be used.
func Open(o Options) *Cache {
	if o.Dir == "" {
		return nil
	}
	c := &Cache{Options: o}
	if c.Limit == 0 {
		c.Limit = DefaultLimit
	}
	if err := c.open(); err != nil {
		c.tell(fmt.Sprintf("no layer is kept for the next build: %v", err))
		return nil
	}
	return c
}

func (c *Cache) open() (err error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if c.root, err = os.OpenRoot(c.Dir); err != nil {
		return err
	}
	is, err := c.root.Stat(".")
	if err == nil {
		err = private(c.Dir, is)
	}
	if err == nil {
		c.key, err = readKey(c.Key)
	}
	if err != nil {
		return errors.Join(err, c.root.Close())
	}
	return nil
}

// Close ends the use of the cache.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	return c.root.Close()
}

const keySize = 32

// readKey reads the key, and makes one if there is none.
func readKey(file string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(file); err != nil {
			return nil, err
		}
		f, err = os.Open(file)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	is, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(file, is); err != nil {
		return nil, err
	}
	if is.Mode().Perm()&0o077 != 0 || !is.Mode().IsRegular() || is.Size() != keySize {
		return nil, fmt.Errorf("%s is no key that its owner alone can read: remove it", file)
	}
	key := make([]byte, keySize)
	_, err = io.ReadFull(f, key)
	return key, err
}

// makeKey makes a key, unless another process does so first.
func makeKey(file string) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Write(key); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Entry is content that the cache has.
type Entry struct {
	Digest v1.Hash `json:"digest"`
	Size   int64   `json:"size"`

	cache *Cache
	name  string
	start int64 // of the content in the file
}

// maxHeader bounds the first line of an entry.
const maxHeader = 1 << 10

// Find looks an entry up. Its content is not read yet.
func (c *Cache) Find(name string) (Entry, bool) {
	if c == nil {
		return Entry{}, false
	}
	e := Entry{cache: c, name: name}
	f, err := c.root.OpenFile(c.file(name), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place is not waited for
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, false
	}
	if err == nil {
		defer f.Close()
		err = e.header(f)
	}
	if err != nil {
		e.Damaged(err)
		return Entry{}, false
	}
	now := time.Now()
	_ = c.root.Chtimes(c.file(name), now, now) // so that it is not the oldest
	return e, true
}

// header reads the first line, which says what the content is.
func (e *Entry) header(f *os.File) error {
	line, err := bufio.NewReaderSize(io.LimitReader(f, maxHeader), maxHeader).ReadString('\n')
	if err != nil {
		return errors.New("it has no header")
	}
	mac, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	given, err := hex.DecodeString(mac)
	if err != nil || !hmac.Equal(given, e.cache.mac(e.name, text)) {
		return errors.New("this machine did not write it")
	}
	if err := json.Unmarshal([]byte(text), e); err != nil {
		return err
	}
	is, err := f.Stat()
	if err != nil {
		return err
	}
	if e.start = int64(len(line)); is.Size() != e.start+e.Size {
		return errors.New("it has another size")
	}
	return nil
}

// Copy writes the content to w. Where that is not what was kept, it returns an error
// after some of it, and the caller must call Damaged.
func (e Entry) Copy(w io.Writer) error {
	f, err := e.cache.root.OpenFile(e.cache.file(e.name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, hash), io.NewSectionReader(f, e.start, e.Size)); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != e.Digest.Hex {
		return errors.New("its content has another digest")
	}
	return nil
}

// Damaged removes an entry that is not as it was written.
func (e Entry) Damaged(why error) {
	if errors.Is(why, syscall.ENOSPC) || errors.Is(why, fs.ErrNotExist) {
		return // the place that it was copied to is full, or another process made room
	}
	_ = e.cache.root.RemoveAll(e.cache.file(e.name))
	e.cache.tell(fmt.Sprintf("an entry of the layer cache %s is damaged: %v: Waybill makes it again", e.cache.Dir, why))
}

func (c *Cache) tell(text string) {
	c.warned.Do(func() {
		if c.Warn != nil {
			c.Warn(text)
		}
	})
}

// Put keeps content under a name. What cannot be kept is a warning.
func (c *Cache) Put(name string, digest v1.Hash, size int64, content io.Reader) {
	if c == nil || size > c.Limit/2 {
		return
	}
	if err := c.put(name, Entry{Digest: digest, Size: size}, content); err != nil {
		c.tell(fmt.Sprintf("the layer cache %s cannot be written: %v", c.Dir, err))
	}
}

func (c *Cache) put(name string, e Entry, content io.Reader) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	part := beside + rand.Text()
	f, err := c.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%x %s\n", c.mac(name, string(text)), text)
	if err == nil {
		_, err = io.Copy(f, content)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = c.root.Rename(part, c.file(name))
	}
	if err != nil {
		return errors.Join(err, c.root.Remove(part))
	}
	return c.shrink()
}

// PutBytes keeps content under a name.
func (c *Cache) PutBytes(name string, content []byte) {
	sum := sha256.Sum256(content)
	c.Put(name, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}, int64(len(content)), bytes.NewReader(content))
}

// An entry that is written is beside the others until it is whole. One that is older
// than this was left by a process that was killed.
const (
	beside    = "new-"
	abandoned = time.Hour
)

// shrink removes what was not used for the longest time, until the rest is small
// enough.
func (c *Cache) shrink() error {
	entries, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, entry := range entries {
		is, err := entry.Info()
		if err != nil || !is.Mode().IsRegular() { // another process removed it
			continue
		}
		if written := strings.HasPrefix(is.Name(), beside) && time.Since(is.ModTime()) < abandoned; !written {
			files = append(files, is)
		}
		total += is.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, is := range files {
		if total <= c.Limit {
			return nil
		}
		if err := c.root.Remove(is.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= is.Size()
	}
	return nil
}

// file is the file of a name.
func (c *Cache) file(name string) string { return hex.EncodeToString(c.mac("file", name)) }

// mac authenticates that two texts belong together.
func (c *Cache) mac(a, b string) []byte {
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%d:%s%d:%s", len(a), a, len(b), b)
	return h.Sum(nil)
}
