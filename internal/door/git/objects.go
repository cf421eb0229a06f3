package git

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // git's object ids
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Objects reads the content of many objects through one process.
// https://git-scm.com/docs/git-cat-file#_batch_output
type Objects struct {
	mu  sync.Mutex
	in  *io.PipeWriter
	out *bufio.Reader
}

// Objects starts the process. It ends with ctx, and with Close.
func (c Command) Objects(ctx context.Context) *Objects {
	asked, in := io.Pipe()
	out, answered := io.Pipe()
	c.Args, c.Stdin, c.Stdout = []string{"cat-file", "--batch"}, asked, answered
	go func() {
		err := c.Run(ctx)
		if err == nil {
			err = io.EOF
		}
		asked.CloseWithError(err)
		answered.CloseWithError(err)
	}()
	return &Objects{in: in, out: bufio.NewReader(out)}
}

// Blob reads a blob of at most limit bytes by its id.
func (o *Objects) Blob(id string, limit int64) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := io.WriteString(o.in, id+"\n"); err != nil {
		return nil, fmt.Errorf("read object %s: %w", id, err)
	}
	header, err := o.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", id, err)
	}
	fields := strings.Fields(header) // ID TYPE SIZE, or ID missing
	if len(fields) != 3 {
		return nil, fmt.Errorf("read object %s: git cat-file wrote %q", id, header)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read object %s: git cat-file wrote %q", id, header)
	}
	if fields[1] != "blob" || size > limit {
		if _, err := io.CopyN(io.Discard, o.out, size+1); err != nil {
			return nil, fmt.Errorf("read object %s: %w", id, err)
		}
		return nil, fmt.Errorf(
			"read object %s: it is a %s of %d bytes, where a blob of at most %d was expected", id, fields[1], size, limit,
		)
	}
	data := make([]byte, size+1) // and a line break
	if _, err := io.ReadFull(o.out, data); err != nil {
		return nil, fmt.Errorf("read object %s: %w", id, err)
	}
	return data[:size:size], nil
}

// Close ends the process.
func (o *Objects) Close() error { return o.in.Close() }

// BlobID is git's id of a file's content.
// https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
func BlobID(content []byte) string { return objectID("blob", content) }

func objectID(kind string, content []byte) string {
	h := sha1.New() //nolint:gosec // git's object ids
	fmt.Fprintf(h, "%s %d\x00", kind, len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// TreeEntry is a file or directory of a tree.
type TreeEntry struct{ Name, Mode, ID string }

// ModeDirectory is the mode of a directory in a tree.
const ModeDirectory = "40000"

// TreeID is git's id of a directory, by what is directly in it; empty where an id is none.
func TreeID(entries []TreeEntry) string {
	order := func(e TreeEntry) string {
		if e.Mode == ModeDirectory {
			return e.Name + "/"
		}
		return e.Name
	}
	entries = slices.SortedFunc(slices.Values(entries), func(a, b TreeEntry) int { return strings.Compare(order(a), order(b)) })
	var content []byte
	for _, e := range entries {
		id, err := hex.DecodeString(e.ID)
		if err != nil {
			return ""
		}
		content = append(fmt.Appendf(content, "%s %s\x00", e.Mode, e.Name), id...)
	}
	return objectID("tree", content)
}
