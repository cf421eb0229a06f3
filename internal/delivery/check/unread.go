package check

import (
	"bytes"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/evidence"
)

const (
	unread  = "the base's " + config.FileName + " cannot be read, so nothing says what this change takes away"
	missing = "the base has no " + config.FileName + ", so nothing says what this change takes away"
)

// withoutBase refuses a change of a base whose configuration cannot be read.
// Mending it is a change of its own, which says so. Where nothing is deployed
// yet there is nothing to take away.
func (s *session) withoutBase() {
	_, there := s.base.Files[config.FileName]
	what := unread
	if !there && s.base.Large[config.FileName] == "" {
		what = missing
		if !s.deploysAlready() {
			s.note(Finding{File: config.FileName, Rule: RuleProtection, State: evidence.Refused,
				Message: "the base has no " + config.FileName + " and deploys nothing: every rule of this change counts"})
			return
		}
	}
	if others := slices.DeleteFunc(slices.Clone(s.changed()), func(file string) bool { return file == config.FileName }); len(others) > 0 {
		s.add(Finding{File: config.FileName, Rule: RuleProtection, State: evidence.Refused, Message: what +
			": this change has other files too (" + others[0] + ") → write " + config.FileName + " in a change of its own first"})
		return
	}
	s.weaker(config.FileName, 0, what)
}

// deploysAlready reports whether the base has overlays or holds, in the places
// that the head names or in those that are usual.
func (s *session) deploysAlready() bool {
	for file := range s.base.Files {
		if strings.HasPrefix(file, hold.Dir) || strings.Contains(file, "/overlays/") {
			return true
		}
	}
	found := false
	each(s.cfg, func(app config.App, env config.Environment) {
		if _, err := history.ReadSet(s.base.Files, app, env.Name); err == nil {
			found = true
		}
	})
	return found
}

// acknowledged lists the acknowledgements that the change brings. Those of a
// base that cannot be read are told by its text.
func (s *session) acknowledged() []config.Acknowledgement {
	if s.baseReads {
		return s.cfg.Acknowledged(s.rules)
	}
	text := s.base.Files[config.FileName]
	return slices.DeleteFunc(s.cfg.Acknowledged(&config.Config{}), func(a config.Acknowledgement) bool {
		return bytes.Contains(text, []byte(a.Change)) && bytes.Contains(text, []byte(a.Reason))
	})
}
