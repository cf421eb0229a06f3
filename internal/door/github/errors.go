package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
)

// Error is a request that GitHub refused or did not answer.
type Error struct {
	Op         string // what was being attempted
	Status     int    // HTTP status; 0 when there was no answer
	Message    string // GitHub's own words
	Permission string // what the token would need, such as "contents: write"; empty when GitHub did not say
	RetryAt    time.Time
	Anonymous  bool // whether no token was sent
	Cause      error
}

func (e *Error) Error() string {
	text := e.Op + ": "
	if e.Status == 0 {
		return text + e.Cause.Error()
	}
	text += fmt.Sprintf("GitHub answers %d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" && e.Message != http.StatusText(e.Status) {
		text += ": " + e.Message
	}
	return text + e.hint()
}

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

// giveToken is what a person does who has none.
const giveToken = "set GITHUB_TOKEN, as export GITHUB_TOKEN=$(gh auth token) does"

func (e *Error) hint() string {
	switch {
	case !e.RetryAt.IsZero():
		return fmt.Sprintf(
			" (the rate limit ends at %s: run it again then, or use a token with a limit of its own)",
			e.RetryAt.UTC().Format("15:04:05 UTC"),
		)
	case e.Anonymous && e.Status == http.StatusNotFound:
		return " (it does not exist, or it is private, and no token was given: " + giveToken + ")"
	case e.Anonymous && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		return " (no token was given: " + giveToken + ")"
	case strings.Contains(e.Message, "rule violations") || strings.Contains(e.Message, "Protected branch"):
		return " (a job token can be on no bypass list: let a GitHub App that is on the ruleset's act, with `app_id` and `app_key`)"
	case strings.Contains(e.Message, "not permitted to create or approve pull requests"):
		return " (let a GitHub App act, with `app_id` and `app_key`; or allow it under Settings, Actions, General, Workflow permissions, " +
			"where the organisation may have to allow it first)"
	case e.Permission != "" && e.Status == http.StatusForbidden:
		return " (the token needs " + e.Permission + ")"
	case e.Status == http.StatusUnauthorized:
		return " (the token is missing, expired or wrong: set GITHUB_TOKEN)"
	case e.Status == http.StatusForbidden:
		return " (the token lacks a permission for this)"
	case e.Status == http.StatusNotFound && e.Permission != "":
		return " (it does not exist, or it is private and the token may not see it: it would need " + e.Permission + ")"
	case e.Status == http.StatusNotFound:
		return " (it does not exist, or it is private and the token may not see it)"
	case e.Status == http.StatusTooManyRequests:
		return " (GitHub limits requests: run it again later)"
	}
	return ""
}

// IsStatus reports whether err is an answer of GitHub with the status.
func IsStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// Answered reports whether an error is GitHub's refusal of a request, so that nothing was
// done.
func Answered(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500
}

// IsNotFound reports whether GitHub says that the thing is not there, or not for
// this token.
func IsNotFound(err error) bool { return IsStatus(err, http.StatusNotFound) }

func wrap(op string, err error) error {
	e := &Error{Op: op, Cause: err}
	var answer *gogithub.ErrorResponse
	var transportError *url.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.As(err, &answer):
		e.Status, e.Message = answer.Response.StatusCode, message(answer)
		e.Anonymous = answer.Response.Header.Get(transport.HeaderNoToken) != ""
		if e.Permission = permission(answer.Response.Header.Get(headerPermissions)); e.Permission == "metadata: read" {
			e.Permission = "" // every token that sees the repository has it
		}
		if at, err := http.ParseTime(answer.Response.Header.Get(transport.HeaderLimitEnds)); err == nil {
			e.RetryAt = at
		}
	case errors.As(err, &transportError):
		e.Cause = &url.Error{Op: transportError.Op, URL: redact(transportError.URL), Err: transportError.Err}
	}
	return e
}

func message(r *gogithub.ErrorResponse) string {
	parts := []string{}
	if r.Message != "" {
		parts = append(parts, strings.Join(strings.Fields(r.Message), " "))
	}
	for _, e := range r.Errors {
		switch {
		case e.Message != "":
			parts = append(parts, e.Message)
		case e.Field != "":
			parts = append(parts, strings.TrimSpace(e.Resource+" "+e.Field+" "+e.Code))
		}
	}
	return strings.Join(parts, "; ")
}

const headerPermissions = "X-Accepted-Github-Permissions"

// permission turns "contents=write; pull_requests=read,contents=read" (sets
// that suffice, separated by semicolons) into words.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions-for-the-token
func permission(header string) string {
	var ways []string
	for _, set := range strings.Split(header, ";") {
		var needs []string
		for _, p := range strings.Split(set, ",") {
			scope, access, ok := strings.Cut(strings.TrimSpace(p), "=")
			if ok {
				needs = append(needs, strings.ReplaceAll(scope, "_", "-")+": "+access)
			}
		}
		if len(needs) > 0 {
			ways = append(ways, strings.Join(needs, " and "))
		}
	}
	return strings.Join(ways, ", or ")
}

// redact drops what may be secret in a URL: user, query and fragment.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
