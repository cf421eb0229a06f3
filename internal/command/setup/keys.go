package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Keys are files for the keys of new Apps that could not be set as a secret.
// GitHub gives a key once; the next call takes it from here and removes it.
type Keys struct{ Dir string }

const clientIDLine = "Client-ID: "

func (k Keys) file(name string) string { return filepath.Join(k.Dir, name+".private-key.pem") }

// keep writes a file that this user alone can read. Text before the first line of
// a PEM block is a comment.
// https://www.rfc-editor.org/rfc/rfc7468#section-2
func (k Keys) keep(a *app) (string, error) {
	file := k.file(a.name)
	if err := os.WriteFile(file, []byte(clientIDLine+a.clientID+"\n"+a.key), 0o600); err != nil {
		return "", fmt.Errorf("keep the key of the App %s, which GitHub gives once: %w", a.name, err)
	}
	return file, nil
}

// recall takes up an App that an earlier call has registered, if there is one.
func (k Keys) recall(a *app) error {
	data, err := os.ReadFile(k.file(a.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	line, key, _ := strings.Cut(string(data), "\n")
	id, ours := strings.CutPrefix(line, clientIDLine)
	if err != nil || !ours {
		return err // a key that a person has put there is theirs
	}
	a.clientID, a.key = id, key
	return nil
}

func (k Keys) forget(a *app) error {
	if err := os.Remove(k.file(a.name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
