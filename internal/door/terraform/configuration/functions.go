package configuration

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/limit"
)

// library are the functions that are evaluated, each as terraform and OpenTofu do it:
// what is taken for a path must be the one that terraform opens. Any other counts as not
// known: an expression that calls one is never taken for a value. TestFunctionsAreTerraforms
// asks terraform itself.
var library = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
	"length":  stdlib.LengthFunc,
	"element": stdlib.ElementFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
	"contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "flatten": stdlib.FlattenFunc, "keys": stdlib.KeysFunc,
	"lookup": stdlib.LookupFunc,
	"merge":  stdlib.MergeFunc, "reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "values": stdlib.ValuesFunc,
	"zipmap": stdlib.ZipmapFunc,
	"concat": stdlib.ConcatFunc, "setunion": stdlib.SetUnionFunc, "setsubtract": stdlib.SetSubtractFunc,
	"setintersection": stdlib.SetIntersectionFunc,
	"upper":           stdlib.UpperFunc, "lower": stdlib.LowerFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
	"sort":  stdlib.SortFunc,
	"split": stdlib.SplitFunc, "chomp": stdlib.ChompFunc, "title": stdlib.TitleFunc, "trimspace": stdlib.TrimSpaceFunc,
	"trim":       stdlib.TrimFunc,
	"trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
	"jsonencode": stdlib.JSONEncodeFunc, "csvdecode": stdlib.CSVDecodeFunc, "parseint": stdlib.ParseIntFunc,
	"try": try, "can": can,
	"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
	"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
	"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	// These can make much of little, so that their arguments are bounded.
	"join": small(stdlib.JoinFunc), "replace": small(replace), "format": small(stdlib.FormatFunc),
	"formatlist": small(stdlib.FormatListFunc),
	"jsondecode": stdlib.JSONDecodeFunc, "yamldecode": textFunction(decodeYAML), "base64decode": textFunction(decodeBase64),
	"dirname": textFunction(pure(filepath.Dir)), "basename": textFunction(pure(filepath.Base)),
	"sensitive": identity, "nonsensitive": identity,
}

const maxArguments = 2048

var errTooLarge = errors.New("too large to evaluate")

// small refuses large arguments, and widths in a format.
func small(f function.Function) function.Function {
	return function.New(&function.Spec{Params: f.Params(), VarParam: f.VarParam(), Type: func(args []cty.Value) (cty.Type, error) {
		total := 0
		for _, a := range args {
			total += size(a, maxArguments)
		}
		if total > maxArguments || len(args) > 0 && isText(args[0]) && strings.ContainsAny(args[0].AsString(), "*") || wide(args) {
			return cty.DynamicPseudoType, errTooLarge
		}
		return f.ReturnTypeForValues(args)
	}, Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) }})
}

// wide reports whether a format asks for padding of four digits or more.
func wide(args []cty.Value) bool {
	if len(args) == 0 || !isText(args[0]) {
		return false
	}
	digits, inside := 0, false
	for _, r := range args[0].AsString() {
		switch {
		case r == '%':
			digits, inside = 0, true
		case inside && r >= '0' && r <= '9':
			if digits++; digits > 3 {
				return true
			}
		case r != '-' && r != '+' && r != '.' && r != ' ' && r != '#':
			inside = false
		}
	}
	return false
}

var identity = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0], nil },
})

func textFunction(f func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}}, Type: function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0].AsString()) },
	})
}

func pure(f func(string) string) func(string) (cty.Value, error) {
	return func(text string) (cty.Value, error) { return cty.StringVal(filepath.ToSlash(f(text))), nil }
}

var errNoText = errors.New("not UTF-8")

func decodeBase64(text string) (cty.Value, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err == nil && !utf8.Valid(data) {
		err = errNoText
	}
	return cty.StringVal(string(data)), err
}

// replace is terraform's, which takes /…/ for a pattern.
var replace = function.New(&function.Spec{
	Params: stdlib.ReplaceFunc.Params(), Type: function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if sought := args[1].AsString(); len(sought) > 1 && strings.HasPrefix(sought, "/") && strings.HasSuffix(sought, "/") {
			return cty.UnknownVal(cty.String), nil
		}
		return stdlib.ReplaceFunc.Call(args)
	},
})

// decodeYAML reads a document without aliases: those can make much of little. What
// readers of YAML take for different things counts as not known.
func decodeYAML(text string) (cty.Value, error) {
	if err := limit.YAML("yamldecode", []byte(text)); err != nil {
		return cty.DynamicVal, err
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var node, second yaml.Node
	if err := decoder.Decode(&node); err != nil {
		return cty.DynamicVal, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) || hasAlias(&node) || len(node.Content) != 1 {
		return cty.DynamicVal, errTooLarge
	}
	return yamlValue(node.Content[0]), nil
}

var (
	plainText   = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./@ -]*$`)
	plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})$`)
	specialText = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null|nan|inf|[.](nan|inf|[0-9].*)?)$`)
)

func yamlValue(n *yaml.Node) cty.Value {
	if n.Style&yaml.TaggedStyle != 0 {
		return cty.DynamicVal
	}
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]cty.Value)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := yamlValue(n.Content[i])
			if !isText(key) {
				return cty.DynamicVal
			}
			if _, twice := object[key.AsString()]; twice {
				return cty.DynamicVal
			}
			object[key.AsString()] = yamlValue(n.Content[i+1])
		}
		return cty.ObjectVal(object)
	case yaml.SequenceNode:
		values := make([]cty.Value, 0, len(n.Content))
		for _, inner := range n.Content {
			values = append(values, yamlValue(inner))
		}
		return cty.TupleVal(values)
	case yaml.ScalarNode:
		return yamlScalar(n)
	}
	return cty.DynamicVal
}

func yamlScalar(n *yaml.Node) cty.Value {
	switch {
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return cty.StringVal(n.Value)
	case n.Value == "true" || n.Value == "false":
		return cty.BoolVal(n.Value == "true")
	case n.Value == "null" || n.Value == "~" || n.Value == "":
		return cty.NullVal(cty.DynamicPseudoType)
	case plainNumber.MatchString(n.Value):
		return cty.MustParseNumberVal(n.Value)
	case plainText.MatchString(n.Value) && !specialText.MatchString(n.Value):
		return cty.StringVal(n.Value)
	}
	return cty.DynamicVal
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, hasAlias)
}

// maxContent is the most of a file whose content is evaluated.
const maxContent = 256 << 10

// withFiles adds the functions that read the tree: what they give is needed
// where one file names others.
func (f *finder) withFiles() map[string]function.Function {
	functions := make(map[string]function.Function, 2*len(library))
	for name, function := range library {
		functions[name] = function
	}
	functions["file"] = textFunction(func(path string) (cty.Value, error) {
		data, err := f.content(path)
		if err == nil && !utf8.Valid(data) {
			err = errNoText
		}
		f.observe("file "+path, string(data), err)
		return cty.StringVal(string(data)), err
	})
	functions["fileexists"] = textFunction(func(path string) (cty.Value, error) {
		_, err := f.content(path)
		f.observe("fileexists "+path, "", err)
		if errors.Is(err, os.ErrNotExist) {
			return cty.UnknownVal(cty.Bool), nil // it could come, while terraform runs
		}
		return cty.BoolVal(err == nil), err
	})
	functions["abspath"] = textFunction(func(path string) (cty.Value, error) {
		if strings.HasPrefix(path, "~") {
			return cty.UnknownVal(cty.String), nil // a directory of that name, for this function alone
		}
		return pure(f.absolute)(path)
	})
	functions["fileset"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return f.fileset(args[0].AsString(), args[1].AsString())
		},
	})
	for name, function := range functions {
		functions["core::"+name] = function
	}
	return functions
}

func (f *finder) content(path string) ([]byte, error) {
	real, err := filepath.EvalSymlinks(f.absolute(path))
	if err != nil {
		return nil, err
	}
	if !f.allowed(real) {
		return nil, fmt.Errorf("%s lies outside", path)
	}
	if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() || info.Size() > maxContent {
		return nil, errTooLarge
	}
	return os.ReadFile(real)
}

// observe keeps what the tree said, by which paths are told.
func (f *finder) observe(what, said string, err error) {
	if err != nil {
		said = "none"
	}
	sum := sha256.Sum256([]byte(said))
	f.observed[what] = hex.EncodeToString(sum[:])
}

// simplePattern reports whether a pattern has no more than * within names, and ** as one.
func simplePattern(pattern string) bool {
	for part := range strings.SplitSeq(pattern, "/") {
		if part != "**" && (part == "" || strings.Contains(part, "**") || strings.ContainsAny(part, "?[]{}\\")) {
			return false
		}
	}
	return true
}

// hasLinks reports whether a link lies below a directory, or too much to look.
func hasLinks(dir string) bool {
	seen := 0
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if seen++; err == nil && (entry.Type()&fs.ModeSymlink != 0 || seen > maxInstances) {
			err = errTooLarge
		}
		return err
	})
	return err != nil
}

func (f *finder) fileset(path, pattern string) (cty.Value, error) {
	dir, err := filepath.EvalSymlinks(f.absolute(path))
	if err != nil {
		return cty.DynamicVal, err
	}
	if !f.allowed(dir) || strings.Contains(pattern, "..") {
		return cty.DynamicVal, fmt.Errorf("%s lies outside", path)
	}
	if !simplePattern(pattern) || hasLinks(dir) {
		return cty.UnknownVal(cty.Set(cty.String)), nil // versions of terraform differ in what they match
	}
	found, err := doublestar.Glob(os.DirFS(dir), pattern, doublestar.WithFilesOnly())
	if err != nil || len(found) > maxInstances {
		return cty.DynamicVal, errTooLarge
	}
	slices.Sort(found)
	f.observe("fileset "+path+" "+pattern, strings.Join(found, "\n"), nil)
	values := make([]cty.Value, 0, len(found))
	for _, name := range found {
		values = append(values, cty.StringVal(name))
	}
	if len(values) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	return cty.SetVal(values), nil
}
