package check

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// RulePolicy is the rule for files that `waybill policy` writes.
const RulePolicy = "policy"

// written holds the policies that `waybill policy` wrote against waybill.yaml: a
// cluster that asks for something else refuses what was approved here, or lets in
// what was not. What was so before is a note.
func (s *session) written() {
	for _, file := range slices.Sorted(maps.Keys(s.head.Files)) {
		if ext := path.Ext(file); ext != ".yaml" && ext != ".yml" {
			continue
		}
		command, current, err := writtenFrom(s.head.Files[file], s.cfg)
		if command == "" || current {
			continue
		}
		f := Finding{
			File: file, Line: 1, Rule: RulePolicy, State: evidence.Refused,
			Message: fmt.Sprintf("it is not what its command writes from waybill.yaml: run `%s > %s` and commit the result", command, file),
		}
		if err != nil {
			f.Message = fmt.Sprintf("the command in its head writes nothing: %v: write it by another command, or delete it", err)
		}
		if s.baseReads {
			if before, current, _ := writtenFrom(s.was[file], s.rules); before != "" && !current {
				s.note(f)
				continue
			}
		}
		s.add(f)
	}
}

// follows reports whether a policy says, before and after the change, what one
// command writes from waybill.yaml. What it no longer asks for, waybill.yaml does not
// ask for either, and that is found there.
func (s *session) follows(file string) bool {
	if !s.baseReads {
		return false
	}
	before, was, _ := writtenFrom(s.was[file], s.rules)
	after, is, _ := writtenFrom(s.head.Files[file], s.cfg)
	return was && is && before == after
}

// writtenFrom is the command that wrote a file, and whether the file is what it writes.
func writtenFrom(file []byte, c *config.Config) (command string, current bool, err error) {
	command, policy, err := cluster.Rewrite(file, c)
	return command, err == nil && command != "" && policy == string(file), err
}
