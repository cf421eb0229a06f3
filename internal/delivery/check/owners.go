package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// maxOwners is as large as a file of code owners may be for GitHub to load it.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
const maxOwners = 3_000_000

// ownersFile is the file of code owners that counts; empty where there is none.
// An empty file counts too.
func ownersFile(s *configrepo.Snapshot) string {
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

// codeOwners reports rules of CODEOWNERS that count no longer, and those that come
// after others: the last one that matches is the one that counts.
func (s *session) codeOwners() {
	was, now := ownersFile(s.base), ownersFile(s.head)
	before := s.ownerLines(s.base.Files[was])
	if len(before) == 0 || !loaded(s.base, was) {
		return // there was nothing to take away
	}
	if now != "" && !loaded(s.head, now) {
		s.weaker(now, 0, top(now)+" is too large, and GitHub does not load it")
		return
	}
	after := s.ownerLines(s.head.Files[now])
	kept, known := set(after), set(before)
	for _, rule := range before {
		switch {
		case kept[rule]:
		case now == was || now == "":
			s.weaker(was, 0, fmt.Sprintf("%s drops or changes %q", top(was), rule))
		default:
			s.weaker(now, 0, fmt.Sprintf("%s is read instead of %s, and has no %q", top(now), top(was), rule))
		}
	}
	for _, rule := range after {
		if !known[rule] {
			s.weaker(now, 0, fmt.Sprintf("%s adds %q, which comes before other rules", top(now), rule))
		}
	}
	in := func(kept map[string]bool, rules []string) []string {
		return slices.DeleteFunc(slices.Clone(rules), func(rule string) bool { return !kept[rule] })
	}
	if !slices.Equal(in(kept, before), in(known, after)) {
		s.weaker(now, 0, top(now)+" has its rules in another order, and the last that matches counts")
	}
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

// ownerLines are the rules of a file of code owners that can be about the directory.
func (s *session) ownerLines(data []byte) []string {
	var list []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), " "); line != "" && concerns(line, s.base.Dir) {
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
