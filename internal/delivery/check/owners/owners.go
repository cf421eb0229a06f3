// Package owners tells what a change of a config repository takes away from CODEOWNERS:
// who has to review what.
package owners

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// maxOwners is as large as a file of code owners may be for GitHub to load it.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
const maxOwners = 3_000_000

// file is the file of code owners that counts; empty where there is none.
// An empty file counts too.
func file(s *configrepo.Snapshot) string {
	owners := s.OwnersAbove()
	i := slices.IndexFunc(owners, func(file string) bool {
		_, small := s.Files[file]
		return small || s.Large[file] != ""
	})
	if i < 0 {
		return ""
	}
	return owners[i]
}

func loaded(s *configrepo.Snapshot, file string) bool {
	return s.Large[file] == "" && len(s.Files[file]) < maxOwners
}

// Weakening is protection that a change takes away, in words, and by which file.
type Weakening struct{ File, Change string }

// Weaker finds rules of CODEOWNERS that count no longer, and those that come
// after others: the last one that matches is the one that counts.
func Weaker(base, head *configrepo.Snapshot) (found []Weakening) {
	was, now := file(base), file(head)
	before := lines(base.Files[was], base.Dir)
	if len(before) == 0 || !loaded(base, was) {
		return nil // there was nothing to take away
	}
	say := func(file, change string) { found = append(found, Weakening{file, change}) }
	if now != "" && !loaded(head, now) {
		say(now, top(now)+" is too large, and GitHub does not load it")
		return found
	}
	after := lines(head.Files[now], base.Dir)
	kept, known := set(after), set(before)
	for _, rule := range before {
		switch {
		case kept[rule]:
		case now == was || now == "":
			say(was, fmt.Sprintf("%s drops or changes %q", top(was), rule))
		default:
			say(now, fmt.Sprintf("%s is read instead of %s, and has no %q", top(now), top(was), rule))
		}
	}
	for _, rule := range after {
		if !known[rule] {
			say(now, fmt.Sprintf("%s adds %q, which comes before other rules", top(now), rule))
		}
	}
	in := func(kept map[string]bool, rules []string) []string {
		return slices.DeleteFunc(slices.Clone(rules), func(rule string) bool { return !kept[rule] })
	}
	if !slices.Equal(in(kept, before), in(known, after)) {
		say(now, top(now)+" has its rules in another order, and the last that matches counts")
	}
	return found
}

func set(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, e := range list {
		out[e] = true
	}
	return out
}

// top is the name of a file above the directory, from the top of the repository.
func top(file string) string {
	for strings.HasPrefix(file, "../") {
		file = file[len("../"):]
	}
	return file
}

// lines are the rules of a file of code owners that can be about the directory.
func lines(data []byte, dir string) []string {
	var list []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), " "); line != "" && concerns(line, dir) {
			list = append(list, line)
		}
	}
	return list
}

// concerns reports whether a rule of code owners can be about a directory. A pattern
// with a slash before its end is one from the top of the repository.
func concerns(rule, dir string) bool {
	pattern, _, _ := strings.Cut(rule, " ")
	if dir == "" || !strings.Contains(strings.TrimSuffix(pattern, "/"), "/") {
		return true
	}
	literal := strings.TrimPrefix(pattern, "/")
	if i := strings.IndexAny(literal, "*?[\\"); i >= 0 {
		literal = literal[:i]
	}
	return strings.HasPrefix(dir+"/", literal) || strings.HasPrefix(literal, dir+"/")
}
