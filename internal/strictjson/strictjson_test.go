package strictjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "", `[]`: "", `[1,2.5e3,true,null,"x\"y"]`: "", ` {"a":{"b":[{"c":1},{"c":2}]},"d":{"a":1}} `: "",
		`{"a":1,"a":2}`:             `the name "a" stands twice`,
		`{"a":1,"A":2}`:             `the name "A" stands twice`,
		`{"a":1,"\u0061":2}`:        `the name "a" stands twice`,
		`[{"x":{"a":1,"a":2}}]`:     `the name "a" stands twice`,
		`{"ſ":1,"S":2}`:             `the name "S" stands twice`,
		`{"é":1,"É":2}`:             `the name "É" stands twice`,
		`{"a":{"b":1},"b":2}`:       "",
		`{"a":{"a":1},"b":{"a":1}}`: "",
		thousands(100):              "", `[` + thousands(100) + `,` + thousands(100) + `]`: "",
		strings.Replace(thousands(100), `"99"`, `"3"`, 1):                     `the name "3" stands twice`,
		strings.Replace(thousands(few+1), fmt.Sprintf(`"%d"`, few), `"3"`, 1): `the name "3" stands twice`,
		strings.Replace(thousands(few), fmt.Sprintf(`"%d"`, few-1), `"3"`, 1): `the name "3" stands twice`,
		`[0,10,-0,1.5,100000000000000000000]`:                                 "",
		`[01]`:                                                                "not valid", `[+1]`: "not valid", `[1x]`: "not valid",
		strings.Repeat("1", maxLiteral+1): "not valid",
		`{"a":1`:                          "not valid",
		`{"a":1,}`:                        "not valid", `[1,]`: "not valid", `{"a" 1}`: "not valid", `{}{}`: "not valid",
		`{"a":nope}`: "not valid", `"x`: "not valid", "\"a\nb\"": "not valid", ``: "not valid", `{1:2}`: "not valid",
		strings.Repeat("[", 10000):                   "nested more than",
		`{"` + strings.Repeat("x", maxName) + `":1}`: "a name has more than 4096 bytes",
	} {
		err := Check([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40s: got %v, want %q", text, err, want)
		}
		if err == nil && !json.Valid([]byte(text)) {
			t.Errorf("%s: accepted, and encoding/json does not", text)
		}
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	data := []byte(` {"a" : {"x":1,"x":2} , "b":[1, 2],"c":"t\"}"} `)
	got, err := Members(data)
	if err != nil || len(got) != 3 || string(got["a"]) != `{"x":1,"x":2}` || string(got["b"]) != "[1, 2]" || string(got["c"]) != `"t\"}"` {
		t.Fatalf("got %q, %v", got, err)
	}
	if &got["b"][0] != &data[strings.Index(string(data), "[1")] {
		t.Error("the value is a copy")
	}
	for text, want := range map[string]string{
		`{"a":1,"A":2}`: "stands twice", `[]`: "not a JSON object", `{"a":1} x`: "not valid",
		thousands(maxMembers + 1): "more than 1000 members",
	} {
		if _, err := Members([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func thousands(n int) string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(`"%d":1`, i))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func FuzzCheckAgreesWithJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, `"\u00e9"`, `-0.1e+5`, `[[]]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if Check(data) == nil && !json.Valid(data) && !strings.Contains(string(data), `\`) {
			t.Errorf("accepted %q", data)
		}
	})
}
