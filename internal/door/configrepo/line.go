package configrepo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// Asking git for the history of one file walks the whole branch. Who asks for a
// few files does not mind; a table of a thousand applications would take minutes.
// So after manyLogs questions about one branch, the branch is read once with every
// change in it, and the answers come from there.
const (
	manyLogs = 4
	// maxLineBytes bounds what is read of a branch. A longer history is asked file
	// by file.
	maxLineBytes = 256 << 20
)

// line is the branch's own history: first parents only, newest first.
type line struct {
	entries []Entry
	at      map[string]int      // position of a commit
	touched map[string][]change // by path, newest first
}

// change is what a commit made of a file.
type change struct {
	at         int // position of the commit
	mode, blob string
}

// entryFormat is how git log prints an Entry.
const entryFormat = "--format=%H%x1f%ct%x1f%an%x1f%ae%x1f%P%x1f%B"

// ReadAhead does nothing: a local history is read at once as soon as that pays.
func (l *Local) ReadAhead(context.Context, string, []string) error { return nil }

// known gives the branch's history where it was read, or is worth reading now;
// else nil. sha is the head.
func (l *Local) known(ctx context.Context, sha string, path string) (*line, error) {
	l.lineLock.Lock()
	defer l.lineLock.Unlock()
	if n := l.lines[sha]; n != nil || path == "" {
		return n, nil
	}
	if l.asked[sha]++; l.asked[sha] < manyLogs {
		return nil, nil
	}
	n, err := l.readLine(ctx, sha)
	if n == nil || err != nil {
		return nil, err
	}
	l.lines[sha] = n
	return n, nil
}

// isKnown reports whether rev is the id of a commit that was read.
func (l *Local) isKnown(rev string) bool {
	l.lineLock.Lock()
	defer l.lineLock.Unlock()
	return l.lines[rev] != nil || l.latest != nil && l.latest.Commit == rev
}

// readLine reads the history that ends in sha; nil where it is too long.
func (l *Local) readLine(ctx context.Context, sha string) (*line, error) {
	since, err := l.since(ctx, sha)
	if err != nil {
		return nil, err
	}
	out := &limitedBuffer{limit: maxLineBytes}
	err = git.Command{
		Dir: l.dir, Env: l.o.Env, Stdout: out, Config: []string{"log.showRoot=true"},
		Args: []string{
			"log", "-z", "--first-parent", "-m", "--raw", "--no-renames", "--no-abbrev", "--no-show-signature", entryFormat, sha, "--",
		},
	}.Run(ctx)
	if out.full {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of the branch: %w", err)
	}
	n := &line{at: map[string]int{}, touched: map[string][]change{}}
	records := strings.Split(strings.TrimSuffix(out.String(), "\x00"), "\x00")
	for i := 0; i < len(records); i++ {
		record := strings.TrimPrefix(records[i], "\n")
		if strings.HasPrefix(record, ":") && i+1 < len(records) { // :MODE MODE ID ID STATUS, then the path
			fields := strings.Fields(record)
			if i++; len(fields) != 5 || len(n.entries) == 0 {
				return nil, fmt.Errorf("read the history of the branch: git log wrote %q", record)
			}
			n.touched[records[i]] = append(n.touched[records[i]], change{len(n.entries) - 1, fields[1], fields[3]})
			continue
		}
		entry, ok, err := parseEntry(record)
		if err != nil {
			return nil, err
		}
		if ok {
			entry.Since = since[entry.SHA]
			n.at[entry.SHA] = len(n.entries)
			n.entries = append(n.entries, entry)
		}
	}
	return n, nil
}

// log lists the commits that changed path, at most limit; false where path is no
// file that the history knows.
func (n *line) log(path string, limit int) ([]Entry, bool) {
	changes := n.touched[path]
	if limit > 0 && len(changes) > limit {
		changes = changes[:limit]
	}
	entries := make([]Entry, len(changes))
	for i, c := range changes {
		entries[i] = n.entries[c.at]
	}
	return entries, len(entries) > 0
}

// blob is the file that a commit of the branch has at path: its mode and id;
// false where the commit or the path is not known.
func (n *line) blob(sha, path string) (change, bool) {
	position, ok := n.at[sha]
	if !ok {
		return change{}, false
	}
	changes := n.touched[path]
	i, _ := slices.BinarySearchFunc(changes, position, func(c change, at int) int { return c.at - at })
	if i == len(changes) {
		return change{}, false
	}
	return changes[i], true
}

// quickFile reads a file from what is in memory, or by an id that is; false where
// git has to be asked.
func (l *Local) quickFile(rev, path string) (data []byte, found, known bool, err error) {
	l.lineLock.Lock()
	defer l.lineLock.Unlock()
	if s := l.latest; s != nil && s.Commit == rev && kept(l.only, path) && !s.Linked[path] && s.Large[path] == "" {
		data, found = s.Files[path]
		return data, found, true, nil
	}
	for _, n := range l.lines {
		c, ok := n.blob(rev, path)
		if !ok {
			continue
		}
		if !(treeEntry{mode: c.mode}).regular() {
			return nil, false, true, nil
		}
		data, err = l.blob(c.blob)
		return data, err == nil, err == nil, err
	}
	return nil, false, false, nil
}

// blob reads one blob by the process that stays for it.
func (l *Local) blob(id string) ([]byte, error) {
	if l.objects == nil {
		l.objects = git.Command{Dir: l.dir, Env: l.o.Env}.Objects(l.life)
		context.AfterFunc(l.life, func() { l.objects.Close() })
	}
	return l.objects.Blob(id, maxFileBytes)
}
