package comment_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/summary"
)

// A secret is hidden in every form in which terraform, a provider or a text
// within a text can write it.
func TestSecretsInEscapedForms(t *testing.T) {
	t.Parallel()
	for secret, forms := range map[string][]string{
		`pa"ss&word`:       {`pa\"ss&word`, `pa\"ss\u0026word`, `pa\\\"ss&word`, `pa\\\"ss\\u0026word`, `pa\\\"ss\u0026word`},
		`pass${word}`:      {`pass$${word}`, `pass${word}`},
		`pass%{word}`:      {`pass%%{word}`},
		`$${a"}word`:       {`$$${a\"}word`, `$${a\\\"}word`},
		"pass\u00a0word":   {`pass\u00a0word`, `pass\\u00a0word`, "pass\u00a0word"},
		"pass\u00e9word":   {`pass\u00e9word`, "pass\u00e9word"},
		`passw\ord<1`:      {`passw\\ord<1`, `passw\\ord\u003c1`, `passw\\\\ord<1`, `passw\\\\ord\\u003c1`, `passw\\\\ord\u003c1`},
		"pass\x1bword":     {`pass\u001bword`, `pass\x1bword`},
		"pass${\x1b<word":  {`pass${\u001b<word`, `pass$${\u001b<word`},
		"pass\U000e0001xy": {`pass\U000e0001xy`},
		"first\"line\nsecond<line${x}\n": {`first\"line\nsecond<line$${x}\n`, `first\"line\nsecond\u003cline${x}\n`,
			`first\\\"line\\nsecond<line${x}\\n`,
			`first\"line`, `first\\\"line`, `second<line$${x}`, `second\u003cline${x}`, `second\\u003cline${x}`},
	} {
		secrets := redact.GivenSecrets([]string{"TF_VAR_s=" + secret})
		for _, form := range forms {
			if got := secrets.Redact(`Error: a.b["` + form + `"] is wrong`); got != `Error: a.b["`+redact.Hidden+`"] is wrong` {
				t.Errorf("%q as %s: %s", secret, form, got)
			}
		}
	}
	change := change(`terraform_data.x["pa\"ss&word"]`, "x", `"actions":["create"],"after":{"a":"open"}`)
	p := parse(
		t, change,
		`,"variables":{"s":{"value":"pa\"ss&word"}},"configuration":{"root_module":{"variables":{"s":{"sensitive":true}}}}`,
	)
	if got := summary.Summarize(p, redact.FindSecrets(p)).Resources[0].Address; strings.Contains(got, "word") ||
		!strings.Contains(got, redact.Hidden) {
		t.Errorf("the key of an address: %s", got)
	}
}

// A provider may write a secret in another encoding, and mark nothing.
func TestSecretsInEncodings(t *testing.T) {
	t.Parallel()
	const secret = "planted/Sesame+4711 öffne"
	secrets := redact.GivenSecrets([]string{"TF_VAR_s=" + secret})
	for _, form := range []string{
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		url.QueryEscape(secret), url.PathEscape(secret), "enffö 1174+emaseS/detnalp",
	} {
		if got := secrets.Redact("<" + form + ">"); got != "<"+redact.Hidden+">" {
			t.Errorf("%s: %s", form, got)
		}
	}
	for _, around := range []string{"", "u", "us", "user:"} { // base64 of a text that holds it
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			form := e.EncodeToString([]byte(around + secret + around))
			if got := secrets.Redact(form); !strings.Contains(got, redact.Hidden) || len(strings.ReplaceAll(got, redact.Hidden, "")) > 20 {
				t.Errorf("%s: %s", form, got)
			}
		}
	}
	if got := secrets.Redact("planted Sesame"); got != "planted Sesame" {
		t.Errorf("another text: %s", got)
	}
}
