package workflows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Trust is what deliver.yml fixes for every application: GitHub takes variables
// and inputs from the caller, which may not choose it. Empty fields leave the
// workflow's own value.
type Trust struct {
	Database      string // repository of the vulnerability database, with tag
	SigningConfig string // JSON of a Sigstore signing config
	TrustedRoot   string // JSON of its trusted root
}

// Fill writes the values into the text of a workflow, each on its line in
// `env:`. It fails where a line is missing.
func (t Trust) Fill(text string) (string, error) {
	for name, value := range map[string]string{
		"DB_REPOSITORY": t.Database, "SIGNING_CONFIG": t.SigningConfig, "TRUSTED_ROOT": t.TrustedRoot,
	} {
		if value == "" {
			continue
		}
		if name != "DB_REPOSITORY" {
			var packed bytes.Buffer
			if err := json.Compact(&packed, []byte(value)); err != nil {
				return "", fmt.Errorf("fill in %s: it is not JSON: %w", name, err)
			}
			value = packed.String()
		}
		line := regexp.MustCompile(`(?m)^  ` + name + `: .*$`)
		if len(line.FindAllString(text, -1)) != 1 {
			return "", fmt.Errorf("fill in %s: the workflow has no line for it", name)
		}
		quoted := "'" + strings.ReplaceAll(value, "'", "''") + "'"
		text = line.ReplaceAllLiteralString(text, "  "+name+": "+quoted)
	}
	return text, nil
}

// publicDatabase is what the starter's waybill.yaml pins.
const publicDatabase = "databases: [ghcr.io/aquasecurity/trivy-db]"

// Pin makes a waybill.yaml trust the database that deliver.yml scans with. It
// fails where the file pins none.
func (t Trust) Pin(text string) (string, error) {
	if t.Database == "" {
		return text, nil
	}
	if !strings.Contains(text, publicDatabase) {
		return "", fmt.Errorf("pin the database %s: waybill.yaml has no line %q", t.Database, publicDatabase)
	}
	repository := t.Database
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		repository = repository[:i] // a pin has no tag
	}
	return strings.ReplaceAll(text, publicDatabase, fmt.Sprintf("databases: [%q]", repository)), nil
}
