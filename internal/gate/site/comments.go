package site

import (
	"context"
	"reflect"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// Conversation is what was said on the pull request, read at one moment.
func (s *Site) Conversation(ctx context.Context) (*github.Conversation, error) {
	if s.said != nil {
		return s.said, nil
	}
	said, err := s.API.Conversation(ctx, s.Repo, s.Pull.Number)
	if err == nil {
		s.said = said
	}
	return said, err
}

// Listen reads what was said anew, and reports whether that is something else than before.
func (s *Site) Listen(ctx context.Context) (other bool, err error) {
	before := s.said
	s.said = nil
	now, err := s.Conversation(ctx)
	return err == nil && !reflect.DeepEqual(before, now), err
}

// Login is whom a client acts as.
func (s *Site) Login(ctx context.Context, as *github.Client) (string, error) {
	if s.logins[as] == "" {
		me, err := as.Viewer(ctx)
		if err != nil {
			return "", err
		}
		s.logins[as] = me
	}
	return s.logins[as], nil
}

// Own lists the comments that begin with a marker and that as wrote. A comment of
// somebody else stays theirs, whatever it begins with, and its author could
// change it again.
func (s *Site) Own(ctx context.Context, as *github.Client, marker string) (own []github.IssueComment, err error) {
	said, err := s.Conversation(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range said.Comments {
		if !strings.HasPrefix(c.Body, marker) {
			continue
		}
		me, err := s.Login(ctx, as)
		if err != nil {
			return nil, err
		}
		if c.By(me) {
			own = append(own, c)
		}
	}
	return own, nil
}

// Keep makes body, which begins with marker, the one comment of as with that
// marker. It leaves a comment that says the same already alone.
func (s *Site) Keep(ctx context.Context, as *github.Client, marker, body string) error {
	own, err := s.Own(ctx, as, marker)
	if err != nil {
		return err
	}
	if len(own) == 0 || own[0].Body != body {
		s.said = nil // what was read is not what there is any more
	}
	return as.KeepComment(ctx, s.Repo, s.Pull.Number, own, body)
}

// Say adds a comment.
func (s *Site) Say(ctx context.Context, as *github.Client, body string) error {
	s.said = nil // what was read is not all there is any more
	return as.Comment(ctx, s.Repo, s.Pull.Number, body)
}
