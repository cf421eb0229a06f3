// Package cloud gives terraform and other programs a role in a cloud for the
// job's OIDC identity, with no static key anywhere.
//
// GitHub's token is good for five minutes, and the credentials it is exchanged for are good for
// about an hour. A longer run has to ask again. A Session therefore
// keeps the token's file fresh while a program runs, which the SDKs of AWS and
// Google read anew each time; azurerm reads a file once, so it is given an
// address on loopback to ask. Neither gives a program more than tokens for the
// one audience: the job's own right to ask for others stays here. Files are
// readable by the owner alone, and tokens are in no argument, log or error.
package cloud

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/sys/atomicwriter"
)

// Tokens asks for the job's OIDC token with an audience.
type Tokens interface {
	IDToken(ctx context.Context, audience string) (string, error)
}

// Variable is an environment variable of a login.
type Variable struct{ Name, Value string }

// Session is a login that is kept up.
type Session struct {
	tokens Tokens
	dir    string
	clouds []cloud
	azure  *endpoint
	// After is time.After; a test has its own.
	After func(time.Duration) <-chan time.Time

	mu      sync.Mutex
	expires time.Time
	failed  error
}

// cloud is one of the clouds of a request.
type cloud struct {
	audience  string
	file      string // of the token
	variables []Variable
	clears    []string // variables that would win over ours
}

// ErrNothing is reported where a request names no cloud.
var ErrNothing = errors.New("no cloud to log in to")

// Open writes the tokens and what refers to them into dir, which must be private
// to this job. Without Keep they are good for about five minutes.
func Open(ctx context.Context, tokens Tokens, r Request, dir string) (*Session, error) {
	s := &Session{tokens: tokens, dir: dir, After: time.After}
	var err error
	if s.clouds, err = r.clouds(dir); err != nil {
		return nil, err
	}
	if len(s.clouds) == 0 {
		return nil, ErrNothing
	}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	if r.Google != nil {
		if err := writeFile(r.Google.file(dir), r.Google.credentials(dir)); err != nil {
			return nil, err
		}
	}
	if r.Azure != nil && r.Azure.Refreshing {
		// Asked for once now, so that a job without an identity hears it here.
		if _, err := tokens.IDToken(ctx, AzureAudience); err != nil {
			return nil, err
		}
		if err := s.listen(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Variables of the login, by name.
func (s *Session) Variables() []Variable {
	var all []Variable
	for _, c := range s.clouds {
		all = append(all, c.variables...)
	}
	return all
}

// Clears are the variables that would win over the login, and must not be there.
func (s *Session) Clears() []string {
	var all []string
	for _, c := range s.clouds {
		all = append(all, c.clears...)
	}
	return all
}

// Into puts the login into an environment, and takes out what would win over it.
func (s *Session) Into(env []string) []string {
	names := s.Clears()
	for _, v := range s.Variables() {
		names = append(names, v.Name)
	}
	env = slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(names, name)
	})
	for _, v := range s.Variables() {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// Expires says when the first of the tokens that are there now does.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expires
}

// Err is why the tokens could not be kept fresh, if they could not.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

const (
	tokenLife = 5 * time.Minute  // where a token does not say
	again     = 15 * time.Second // after a failure
)

// Keep asks for new tokens before the old ones expire, until stop is called,
// which takes the files away. Where it cannot, it tries again; the old ones are
// good for as long as they are.
func (s *Session) Keep(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			wait := time.Until(s.Expires()) / 2
			if s.Err() != nil {
				wait = again
			}
			select {
			case <-ctx.Done():
				return
			case <-s.After(max(wait, time.Second)):
			}
			err := s.refresh(ctx)
			s.mu.Lock()
			if s.failed = err; ctx.Err() != nil {
				s.failed = nil
			}
			s.mu.Unlock()
		}
	}()
	return func() {
		cancel()
		<-done
		s.close()
	}
}

func (s *Session) close() {
	if s.azure != nil {
		s.azure.close()
	}
	_ = os.RemoveAll(s.dir)
}

// refresh replaces every token. A reader sees the old file or the new one.
func (s *Session) refresh(ctx context.Context) error {
	var first time.Time
	for _, c := range s.clouds {
		if c.file == "" {
			continue
		}
		token, err := s.tokens.IDToken(ctx, c.audience)
		if err != nil {
			return err
		}
		if err := writeFile(c.file, []byte(token)); err != nil {
			return err
		}
		if e := expiry(token); first.IsZero() || e.Before(first) {
			first = e
		}
	}
	if first.IsZero() {
		first = time.Now().Add(tokenLife)
	}
	s.mu.Lock()
	s.expires = first
	s.mu.Unlock()
	return nil
}

func writeFile(path string, data []byte) error {
	if err := atomicwriter.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// expiry reads when a token says that it expires. Nobody is let in by it.
func expiry(token string) time.Time {
	otherwise := time.Now().Add(tokenLife)
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return otherwise
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(data, &claims) != nil || claims.Expires == 0 {
		return otherwise
	}
	return time.Unix(claims.Expires, 0)
}
