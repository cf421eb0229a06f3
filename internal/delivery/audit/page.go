package audit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/status"
	"github.com/waybill-dev/waybill/internal/text"
)

//go:embed page.html
var pageTemplate string

// page is the document for people: one file that fetches nothing.
func (doc Document) page() ([]byte, error) {
	page, err := template.New("page").Funcs(template.FuncMap{
		"stamp": text.Time, "style": status.Style, "by": Deployment.by,
		// In one form, whether it comes from a record or from audit.json, which indents it.
		"json": func(v json.RawMessage) (string, error) {
			data, err := json.MarshalIndent(v, "", "  ")
			return string(data), err
		},
		"link": func(url string) string {
			if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
				return ""
			}
			return url
		},
	}).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, doc)
	return out.Bytes(), err
}
