package build

import (
	"strings"
	"testing"
	"time"
)

func TestParseSecrets(t *testing.T) {
	t.Parallel()
	getenv := func(name string) string { return map[string]string{"token": "a", "OTHER": "b"}[name] }
	secrets, err := parseSecrets([]string{"id=token", "id=x,env=OTHER", "id=f,src=/file", "id=g,type=file,source=/g"}, getenv)
	if err != nil || len(secrets) != 4 || string(secrets[0].Value) != "a" || string(secrets[1].Value) != "b" || secrets[2].File != "/file" || secrets[3].File != "/g" {
		t.Fatalf("%+v, %v", secrets, err)
	}
	for text, want := range map[string]string{
		"token": "is not id=ID", "id=": "is not id=ID", "src=/x": "is not id=ID", "id=a,env=B,src=/x": "is not id=ID", "id=a,mode=1": "is not id=ID",
		"id=missing": "the environment variable missing is empty",
	} {
		if _, err := parseSecrets([]string{text}, getenv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParsePairs(t *testing.T) {
	t.Parallel()
	pairs, err := parsePairs([]string{"A=1", " B =x=y,z", "C="})
	if err != nil || pairs["A"] != "1" || pairs["B"] != "x=y,z" || pairs["C"] != "" || len(pairs) != 3 {
		t.Errorf("%q, %v", pairs, err)
	}
	for _, text := range []string{"A", "=1", " =1"} {
		if _, err := parsePairs([]string{text}); err == nil {
			t.Errorf("%q is a pair", text)
		}
	}
}

func TestEpoch(t *testing.T) {
	t.Parallel()
	commit := time.Unix(1700000000, 0).UTC()
	for given, want := range map[string]time.Time{"": commit, "5": time.Unix(5, 0).UTC()} {
		if got, err := epoch(given, commit); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
	if got, err := epoch("", time.Time{}); err != nil || got.Unix() != 0 {
		t.Errorf("without any: %v, %v", got, err)
	}
	for _, given := range []string{"-1", "now"} {
		if _, err := epoch(given, commit); err == nil {
			t.Errorf("%s is a time", given)
		}
	}
}
