package configuration

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/limit"
)

// library are the functions that are evaluated. Any other counts as not known:
// an expression that calls one is never taken for a value.
var library = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
	"length":  stdlib.LengthFunc,
	"element": stdlib.ElementFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
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
	"jsonencode": stdlib.JSONEncodeFunc, "csvdecode": stdlib.CSVDecodeFunc, "parseint": stdlib.ParseIntFunc, "index": stdlib.IndexFunc,
	"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
	"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
	"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
	"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	// These can make much of little, so that their arguments are bounded.
	"join": small(stdlib.JoinFunc), "replace": small(stdlib.ReplaceFunc), "format": small(stdlib.FormatFunc),
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

func decodeBase64(text string) (cty.Value, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	return cty.StringVal(string(data)), err
}

// decodeYAML reads a document without aliases: those can make much of little.
func decodeYAML(text string) (cty.Value, error) {
	if err := limit.YAML("yamldecode", []byte(text)); err != nil {
		return cty.DynamicVal, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return cty.DynamicVal, err
	}
	if hasAlias(&node) {
		return cty.DynamicVal, errTooLarge
	}
	var v any
	if err := node.Decode(&v); err != nil {
		return cty.DynamicVal, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return cty.DynamicVal, err
	}
	return stdlib.JSONDecode(cty.StringVal(string(data)))
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
		return cty.StringVal(string(data)), err
	})
	functions["fileexists"] = textFunction(func(path string) (cty.Value, error) {
		_, err := f.content(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return cty.DynamicVal, err
		}
		return cty.BoolVal(err == nil), nil
	})
	functions["abspath"] = textFunction(pure(f.absolute))
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

func (f *finder) fileset(path, pattern string) (cty.Value, error) {
	dir, err := filepath.EvalSymlinks(f.absolute(path))
	if err != nil {
		return cty.DynamicVal, err
	}
	if !f.allowed(dir) || strings.Contains(pattern, "..") {
		return cty.DynamicVal, fmt.Errorf("%s lies outside", path)
	}
	found, err := doublestar.Glob(os.DirFS(dir), pattern, doublestar.WithFilesOnly())
	if err != nil || len(found) > maxInstances {
		return cty.DynamicVal, errTooLarge
	}
	values := make([]cty.Value, 0, len(found))
	for _, name := range found {
		values = append(values, cty.StringVal(name))
	}
	if len(values) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	return cty.SetVal(values), nil
}
