package configuration

import (
	"errors"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
)

// The parsers call themselves for each bracket and operator, and a stack that
// overflows ends the process. Text beyond these limits is not parsed.
const (
	maxNesting   = 500
	maxOperators = 10_000 // of one expression
)

var errTooDeep = errors.New("it is nested too deeply to be read")

var (
	opening = map[hclsyntax.TokenType]bool{
		hclsyntax.TokenOBrace: true, hclsyntax.TokenOBrack: true, hclsyntax.TokenOParen: true, hclsyntax.TokenOQuote: true,
		hclsyntax.TokenOHeredoc: true, hclsyntax.TokenTemplateInterp: true, hclsyntax.TokenTemplateControl: true,
	}
	closing = map[hclsyntax.TokenType]bool{
		hclsyntax.TokenCBrace: true, hclsyntax.TokenCBrack: true, hclsyntax.TokenCParen: true, hclsyntax.TokenCQuote: true,
		hclsyntax.TokenCHeredoc: true, hclsyntax.TokenTemplateSeqEnd: true,
	}
	operators = map[hclsyntax.TokenType]bool{
		hclsyntax.TokenBang: true, hclsyntax.TokenMinus: true, hclsyntax.TokenPlus: true, hclsyntax.TokenStar: true,
		hclsyntax.TokenSlash: true, hclsyntax.TokenPercent: true,
		hclsyntax.TokenQuestion: true, hclsyntax.TokenAnd: true, hclsyntax.TokenOr: true, hclsyntax.TokenEqualOp: true,
		hclsyntax.TokenNotEqual: true, hclsyntax.TokenDot: true,
		hclsyntax.TokenLessThan: true, hclsyntax.TokenGreaterThan: true, hclsyntax.TokenLessThanEq: true,
		hclsyntax.TokenGreaterThanEq:   true,
		hclsyntax.TokenTemplateControl: true, hclsyntax.TokenOBrack: true, hclsyntax.TokenOParen: true,
	}
)

// shallow reports an error where the tokens nest too deeply.
func shallow(tokens hclsyntax.Tokens) error {
	depth, brackets, count := 0, 0, 0
	for _, token := range tokens {
		switch {
		case opening[token.Type]:
			depth++
		case closing[token.Type]:
			depth--
		}
		switch token.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack:
			brackets++
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack:
			brackets = max(brackets-1, 0)
		case hclsyntax.TokenNewline:
			if brackets == 0 {
				count = 0
			}
		}
		if operators[token.Type] {
			count++
		}
		if depth > maxNesting || count > maxOperators {
			return errTooDeep
		}
	}
	return nil
}

func shallowFile(data []byte) error {
	tokens, _ := hclsyntax.LexConfig(data, "", hcl.InitialPos)
	return shallow(tokens)
}

// shallowJSON counts the brackets outside of texts.
func shallowJSON(data []byte) error {
	depth, text, escaped := 0, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case text && c == '\\':
			escaped = true
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return errTooDeep
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// parseTemplate parses a text as a template, within the limits.
func parseTemplate(data []byte, file string, at hcl.Pos) (hclsyntax.Expression, error) {
	tokens, _ := hclsyntax.LexTemplate(data, file, at)
	if err := shallow(tokens); err != nil {
		return nil, err
	}
	parsed, diagnostics := hclsyntax.ParseTemplate(data, file, at)
	if diagnostics.HasErrors() {
		return nil, diagnostics
	}
	return parsed, nil
}

// parseFile parses a file of either syntax, within the limits.
func parseFile(data []byte, file string, isJSON bool) (*hcl.File, hcl.Diagnostics) {
	check := shallowFile
	if isJSON {
		check = shallowJSON
	}
	if err := check(data); err != nil {
		at := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Too complex", Detail: err.Error(), Subject: &at}}
	}
	if isJSON {
		return hcljson.Parse(data, file)
	}
	return hclsyntax.ParseConfig(data, file, hcl.InitialPos)
}
