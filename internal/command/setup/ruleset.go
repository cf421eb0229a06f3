package setup

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
)

// rulesetName is how Undo finds what setup made.
const rulesetName = "waybill"

// ruleset lets the default branch change by pull requests that code owners have
// reviewed and the App has judged. The status of anybody else does not count.
func (s *setup) ruleset(repo github.Repository) setting {
	status, name, may := "waybill/gate", rulesetName, ""
	if repo == s.config {
		status, may = path.Join("waybill/check", s.Path), ", which may pass"
		name = strings.TrimSpace(name + " " + s.Path)
	}
	about := "changes by reviewed pull requests with " + status + " of the App" + may
	return setting{
		kind: "ruleset", text: fmt.Sprintf("the default branch of %s %s", repo, about),
		there: func(ctx context.Context) (bool, error) {
			if s.Undo {
				byName, err := s.API.Rulesets(ctx, repo)
				return byName[name] != 0, err
			}
			return s.requires(ctx, repo, status)
		},
		set: func(ctx context.Context) error { return s.protect(ctx, repo, name, status) },
		unset: func(ctx context.Context) error {
			byName, err := s.API.Rulesets(ctx, repo)
			if err != nil {
				return err
			}
			return s.API.Delete(ctx, "the ruleset "+name, fmt.Sprintf("repos/%s/rulesets/%d", repo, byName[name]))
		},
	}
}

// requires reports whether merging needs the status, of the App alone, and a
// pull request.
func (s *setup) requires(ctx context.Context, repo github.Repository, status string) (bool, error) {
	info, err := s.API.Repo(ctx, repo)
	if err != nil {
		return false, err
	}
	number, err := s.number(ctx, s.apps[judging])
	if err != nil || number == 0 {
		return false, err
	}
	rules, err := s.API.Rules(ctx, repo, info.DefaultBranch)
	pull := slices.ContainsFunc(rules, func(r settings.Rule) bool { return r.Type == "pull_request" })
	return pull && slices.ContainsFunc(rules, func(r settings.Rule) bool {
		return slices.Contains(r.Parameters.Checks, settings.RequiredCheck{Context: status, App: number})
	}), err
}

func (s *setup) protect(ctx context.Context, repo github.Repository, name, status string) error {
	info, err := s.API.Repo(ctx, repo)
	if err != nil {
		return err
	}
	number, err := s.number(ctx, s.apps[judging])
	if err != nil {
		return err
	}
	if number == 0 {
		return unready{Later, fmt.Sprintf("the App %s has to be installed on %s first; then run this again", s.apps[judging].name, repo)}
	}
	if _, err := s.API.BranchHead(ctx, repo, info.DefaultBranch); github.IsNotFound(err) {
		return unready{Later,
			fmt.Sprintf("push what waybill init writes to %s of %s first, because this closes it for pushes; then run this again",
				info.DefaultBranch, repo)}
	} else if err != nil {
		return err
	}
	ruleset := Ruleset(status, number)
	ruleset["name"] = name
	if repo == s.config { // environments with promotion: auto take commits of the App
		ruleset["bypass_actors"] = []map[string]any{{"actor_id": number, "actor_type": "Integration", "bypass_mode": "always"}}
	}
	return s.API.CreateRuleset(ctx, repo, ruleset)
}

// Ruleset asks for pull requests that code owners review, and for the status of
// one App by its number, in the form that the API takes.
func Ruleset(status string, app int64) map[string]any {
	judges := strings.HasPrefix(status, "waybill/check")
	return map[string]any{
		"name": rulesetName, "target": "branch", "enforcement": "active",
		"conditions": map[string]any{"ref_name": map[string][]string{"include": {"~DEFAULT_BRANCH"}, "exclude": {}}},
		"rules": []map[string]any{
			{"type": "deletion"}, {"type": "non_fast_forward"},
			{"type": "pull_request", "parameters": map[string]any{
				"required_approving_review_count": 1, "dismiss_stale_reviews_on_push": judges,
				"require_code_owner_review": true, "require_last_push_approval": true, "required_review_thread_resolution": false,
			}},
			{"type": "required_status_checks", "parameters": map[string]any{
				"strict_required_status_checks_policy": judges,
				"required_status_checks":               []map[string]any{{"context": status, "integration_id": app}},
			}},
		},
	}
}
