package layout_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/schemastore.json is the entry for SchemaStore's catalog, by which editors
// know waybill.yaml. Its address is that of a file of this repository.
// https://github.com/SchemaStore/schemastore/blob/master/CONTRIBUTING.md
func TestSchemaStoreEntryLeadsToTheSchema(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	data, err := os.ReadFile(filepath.Join(root, "docs", "schemastore.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Name, Description, URL string
		FileMatch              []string
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Name == "" || entry.Description == "" || !slices.Contains(entry.FileMatch, config.FileName) {
		t.Errorf("the entry is incomplete: %+v", entry)
	}
	path, found := strings.CutPrefix(entry.URL, "https://raw.githubusercontent.com/waybill-dev/waybill/main/")
	schema, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if !found || err != nil || string(schema) != string(config.Schema) {
		t.Errorf("%s is not the schema of %s: %v", entry.URL, config.FileName, err)
	}
}
