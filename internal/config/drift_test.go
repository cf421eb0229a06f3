package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
)

func TestDriftIgnores(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: waybill.dev/v1\nterraform:\n  drift:\n    ignore:\n      - "
	c, err := config.Parse(
		"waybill.yaml",
		[]byte(head+`{dir: "infra/*", address: aws_x.y, attributes: [tags], reason: why, expires: 2026-12-01}`+"\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.DriftIgnore{{
		Dir: "infra/*", Address: "aws_x.y", Attributes: []string{"tags"}, Reason: "why",
		Expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, c.Terraform().Drift); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"{address: a.b, expires: 2026-12-01}":                                 "reason",
		"{address: a.b, reason: '', expires: 2026-12-01}":                     "minLength",
		"{address: a.b, reason: why}":                                         "expires",
		"{reason: why, expires: 2026-12-01}":                                  "address",
		"{address: a.b, reason: why, expires: soon}":                          "A day",
		"{address: a.b, attributes: [], reason: why, expires: 2026-12-01}":    "minItems",
		"{dir: 'infra/[', address: a.b, reason: why, expires: 2026-12-01}":    "is not a glob",
		"{address: a.b, reason: why, expires: 2026-12-01, values: [1, 2, 3]}": "values",
	} {
		_, err := config.Parse("waybill.yaml", []byte(head+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "waybill.yaml:5:") {
			t.Errorf("%s: %v, want %q with its place", text, err, want)
		}
	}
}
