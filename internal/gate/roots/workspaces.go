package roots

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/waybill-dev/waybill/internal/config"
)

// Workspaces are those that the backends of roots list, by directory.
type Workspaces map[string][]string

// Expand puts the workspaces that a pattern matches in its place. What waybill.yaml
// names by itself is not named again, and the default workspace only by name: every
// backend has it, used or not. A pattern of a directory that is not listed stays.
func (w Workspaces) Expand(list []Root) (expanded []Root) {
	named := slices.DeleteFunc(slices.Clone(list), func(r Root) bool { return r.Pattern })
	for _, r := range list {
		names, listed := w[r.Dir]
		if !r.Pattern || !listed {
			expanded = append(expanded, r)
			continue
		}
		for _, name := range names {
			if one, is := r.In(name); is && !slices.ContainsFunc(named, one.same) {
				expanded, named = append(expanded, one), append(named, one)
			}
		}
	}
	return expanded
}

// expand puts what the patterns match in their place.
func (r Request) expand(list []Root) []Root {
	if !r.Validate {
		return r.Found.Expand(list)
	}
	var each []Root
	for _, one := range list {
		if one.Pattern {
			one.Workspace, one.Pattern = "", false
			one.VarFiles = slices.DeleteFunc(slices.Clone(one.VarFiles), func(f string) bool { return strings.Contains(f, "{workspace}") })
		}
		if !slices.ContainsFunc(each, one.same) {
			each = append(each, one)
		}
	}
	return each
}

// Unmatched are the patterns that match no workspace, for people.
func (w Workspaces) Unmatched(list []Root) (said []string) {
	for _, r := range list {
		names, listed := w[r.Dir]
		is := func(name string) bool {
			_, is := r.In(name)
			return is
		}
		if r.Pattern && listed && !slices.ContainsFunc(names, is) {
			said = append(said, r.Dir+": no workspace matches "+r.Workspace)
		}
	}
	return said
}

// In is the root in a workspace, if its pattern matches that.
func (r Root) In(workspace string) (one Root, is bool) {
	is, err := doublestar.Match(r.Workspace, workspace)
	if !r.Pattern || !is || err != nil || workspace == config.DefaultWorkspace {
		return one, false
	}
	one = r
	one.Workspace, one.Pattern, one.VarFiles = workspace, false, nil
	for _, f := range r.VarFiles {
		one.VarFiles = append(one.VarFiles, strings.ReplaceAll(f, "{workspace}", workspace))
	}
	return one, true
}

// Patterns are the roots of waybill.yaml that name their workspaces by a pattern.
func Patterns(cfg config.Terraform) []Root {
	return slices.DeleteFunc(fromConfig(cfg), func(r Root) bool { return !r.Pattern })
}

// Of are the workspaces of roots that are known already.
func Of(list []Root) Workspaces {
	found := make(Workspaces)
	for _, r := range list {
		found[r.Dir] = append(found[r.Dir], workspaceOf(r.Workspace))
	}
	return found
}
