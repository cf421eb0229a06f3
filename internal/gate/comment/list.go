package comment

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// findList reads the lists in the first lines of comments with a marker. As the plan
// comment is, such a comment is believed by who wrote it.
func findList[T any](ctx context.Context, s *site.Site, marker string) (found []T, err error) {
	said, err := s.Conversation(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range said.Comments {
		line, _, _ := strings.Cut(c.Body, "\n")
		data, is := strings.CutPrefix(strings.TrimSuffix(strings.TrimRight(line, "\r"), " -->"), marker+" ")
		if !is {
			continue
		}
		if !c.By(actionsBot) {
			me, err := s.Login(ctx, s.API)
			if err != nil {
				return nil, err
			}
			if !c.By(me) {
				continue
			}
		}
		var some []T
		if json.Unmarshal([]byte(data), &some) == nil {
			found = append(found, some...)
		}
	}
	return found, nil
}

// inComment writes JSON so that it neither ends a comment of HTML nor names anybody.
var inComment = strings.NewReplacer("--", `\u002d\u002d`, "@", `\u0040`)

// listWords are what a comment with a list says to people, and what with an empty one.
type listWords struct{ some, none string }

// keepList keeps the one comment with a marker that holds a list. Where the list is
// empty, and there is no such comment, it says nothing.
func keepList[T any](ctx context.Context, s *site.Site, marker string, list []T, words listWords) error {
	own, err := s.Own(ctx, s.API, marker)
	if err != nil || len(own) == 0 && len(list) == 0 {
		return err
	}
	data, err := json.Marshal(append([]T{}, list...))
	if err != nil {
		return fmt.Errorf("write a comment for %s: %w", marker, err)
	}
	say := words.some
	if len(list) == 0 {
		say = words.none
	}
	return s.Keep(ctx, s.API, marker, listBody(marker, data, say))
}

// listBody is a comment with a list. Of words that leave no room for it, the end is left
// out: the list is what the gate reads.
func listBody(marker string, data []byte, words string) string {
	line := marker + " " + inComment.Replace(string(data)) + " -->\n"
	return line + text.Cut(words, max(markdown.MaxComment-utf8.RuneCountInString(line)-roomForMore, 0), "\n… and more\n")
}

const roomForMore = 100
