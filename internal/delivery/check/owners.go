package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// owners are the files in which GitHub looks for code owners, in its order: it
// uses the first one that it finds. It does not load a file of 3 MB or more.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
var owners = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

const maxOwners = 3_000_000

// ownersFile is the file of code owners that counts; empty where there is none.
// An empty file counts too.
func ownersFile(s *configrepo.Snapshot) string {
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
	before := ownerLines(s.base.Files[was])
	if len(before) == 0 || !loaded(s.base, was) {
		return // there was nothing to take away
	}
	if now != "" && !loaded(s.head, now) {
		s.weaker(now, 0, now+" is too large, and GitHub does not load it")
		return
	}
	after := ownerLines(s.head.Files[now])
	kept, known := set(after), set(before)
	for _, rule := range before {
		switch {
		case kept[rule]:
		case now == was || now == "":
			s.weaker(was, 0, fmt.Sprintf("%s drops or changes %q", was, rule))
		default:
			s.weaker(now, 0, fmt.Sprintf("%s is read instead of %s, and has no %q", now, was, rule))
		}
	}
	for _, rule := range after {
		if !known[rule] {
			s.weaker(now, 0, fmt.Sprintf("%s adds %q, which comes before other rules", now, rule))
		}
	}
	in := func(kept map[string]bool, rules []string) []string {
		return slices.DeleteFunc(slices.Clone(rules), func(rule string) bool { return !kept[rule] })
	}
	if !slices.Equal(in(kept, before), in(known, after)) {
		s.weaker(now, 0, now+" has its rules in another order, and the last that matches counts")
	}
}

func set(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, e := range list {
		out[e] = true
	}
	return out
}

func ownerLines(data []byte) []string {
	var list []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			list = append(list, line)
		}
	}
	return list
}
