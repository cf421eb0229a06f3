package evidence

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/waybill-dev/waybill/internal/text"
)

// pageTemplate is one file with everything that it needs: nothing is fetched, and
// its policy (Content-Security-Policy) lets nothing in.
//
//go:embed page.html
var pageTemplate string

// HTML writes the waybill as a page.
func (w Waybill) HTML(out io.Writer) error {
	page, err := template.New("waybill").Funcs(template.FuncMap{
		"stamp": text.Time, "verdict": func(d Decision) string { return verdict(d) }, "subject": w.subject, "facts": w.facts,
		"findings": func() []Finding {
			if w.report == nil {
				return nil
			}
			return w.report.Distinct()
		},
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	if err := page.Execute(out, w); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
