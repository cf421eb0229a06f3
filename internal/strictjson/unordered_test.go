package strictjson_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/strictjson"
)

// The digest of a document is that of all it says, in whatever order.
func TestUnordered(t *testing.T) {
	t.Parallel()
	digest := func(text string) string {
		t.Helper()
		got, err := strictjson.Unordered([]byte(text), "timestamp")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return string(got)
	}
	const document = `{"a":[{"x":1,"y":[true,null]},"b"],"c":{"timestamp":"t"},"timestamp":"now"}`
	for _, same := range []string{
		document, ` { "c" : {"timestamp":"t"}, "timestamp":[{}], "a" : [ "\u0062", {"y":[null,true],"x":1} ] } `,
		`{"a":["b",{"x":1,"y":[true,null]}],"c":{"timestamp":"t"}}`,
	} {
		if digest(same) != digest(document) {
			t.Errorf("%s has another digest", same)
		}
	}
	seen := make(map[string]string)
	for _, other := range []string{
		document, `{}`, `[]`, `""`, `null`, `true`, `false`, `0`, `"0"`, `"null"`, `[[]]`, `[{}]`, `{"":[]}`,
		`{"a":1}`, `{"a":"1"}`, `{"b":1}`,
		`{"ab":"c"}`, `{"a":"bc"}`, `["ab","c"]`, `["a","bc"]`, `[["a","bc"]]`, `[["a"],"bc"]`, `["a","a"]`, `["a"]`, `{"a":{"b":1}}`,
		`{"a":["b",1]}`, `[{"a":1},{"b":2}]`, `[{"a":1,"b":2}]`, `1.0`, `1`, `{"A":1}`, `{"a":1,"A":1}`,
		`{"a":[{"x":1,"y":[true,null]},"b"],"c":{"timestamp":"u"}}`,
	} {
		sum := digest(other)
		if same, is := seen[sum]; is {
			t.Errorf("%s and %s have one digest", other, same)
		}
		seen[sum] = other
	}
	for _, wrong := range []string{
		``, `{`, `[1`, `{"a"}`, `{} {}`, `{"a":1,"a":2}`, `[1,]`, `nul`, `{"timestamp":1,"timestamp":2}`,
		strings.Repeat("[", 300) + strings.Repeat("]", 300),
		"\"\xff\"", `{"a":}`,
	} {
		if _, err := strictjson.Unordered([]byte(wrong), "timestamp"); err == nil {
			t.Errorf("%.20s has a digest", wrong)
		}
	}
}

func FuzzUnordered(f *testing.F) {
	f.Add([]byte(`{"a":[1,"b",null],"timestamp":{"x":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Unordered(data)
		if err != nil {
			return
		}
		canonical, err := strictjson.Canonical(rawJSON(data))
		if err != nil {
			return
		}
		if again, err := strictjson.Unordered(canonical); err != nil {
			t.Errorf("%q, and not its canonical form: %v", data, err)
		} else if strings.IndexAny(string(data), `.eE-`) < 0 && string(again) != string(got) { // numbers have several forms
			t.Errorf("%q and %q differ", data, canonical)
		}
	})
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }
