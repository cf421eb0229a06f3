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
		got, err := strictjson.Unordered([]byte(text), []string{"timestamp"})
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
		if _, err := strictjson.Unordered([]byte(wrong), []string{"timestamp"}); err == nil {
			t.Errorf("%.20s has a digest", wrong)
		}
	}
}

// What is omitted is so in the objects that it is of, and nowhere else.
func TestUnorderedOmits(t *testing.T) {
	t.Parallel()
	digest := func(text string) string {
		t.Helper()
		got, err := strictjson.Unordered([]byte(text), nil, strictjson.Omission{Where: "mode", Is: "data", Members: []string{"values"}})
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	for a, b := range map[string]string{
		`[{"mode":"data","values":1,"n":1}]`: `[{"values":[2],"n":1,"mode":"d\u0061ta"}]`,
		`{"mode":"data","values":1}`:         `{"mode":"data"}`,
	} {
		if digest(a) != digest(b) {
			t.Errorf("%s and %s differ", a, b)
		}
	}
	for a, b := range map[string]string{
		`{"mode":"data","values":1,"n":1}`: `{"mode":"data","values":1,"n":2}`,
		`{"mode":"managed","values":1}`:    `{"mode":"managed","values":2}`,
		`{"mode":["data"],"values":1}`:     `{"mode":["data"],"values":2}`, `{"values":1}`: `{"values":2}`,
		`{"mode":"data","of":{"values":1}}`:           `{"mode":"data","of":{"values":2}}`,
		`[{"mode":"data"},{"values":1}]`:              `[{"mode":"data"},{"values":2}]`,
		`{"Mode":"data","values":1}`:                  `{"Mode":"data","values":2}`,
		`{"mode":"data","MODE":"managed","values":1}`: `{"mode":"data","MODE":"managed","values":2}`,
		`["mode","data","values",1]`:                  `["mode","data","values",2]`,
	} {
		if digest(a) == digest(b) {
			t.Errorf("%s and %s have one digest", a, b)
		}
	}
}

func FuzzUnordered(f *testing.F) {
	f.Add([]byte(`{"a":[1,"b",null],"timestamp":{"x":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Unordered(data, nil)
		if err != nil {
			return
		}
		canonical, err := strictjson.Canonical(rawJSON(data))
		if err != nil {
			return
		}
		if again, err := strictjson.Unordered(canonical, nil); err != nil {
			t.Errorf("%q, and not its canonical form: %v", data, err)
		} else if strings.IndexAny(string(data), `.eE-`) < 0 && string(again) != string(got) { // numbers have several forms
			t.Errorf("%q and %q differ", data, canonical)
		}
	})
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }
