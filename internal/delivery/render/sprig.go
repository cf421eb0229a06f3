package render

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	_ "unsafe" // for go:linkname

	_ "github.com/Masterminds/sprig/v3" // holds the functions
)

// sprigFunctions are the functions of templates. Helm takes them from sprig and
// lets nobody replace one, so they are replaced where they are: a single call of
// some asks for any amount of memory at once, and Go ends a process that gets
// less than it asks for.
//
//go:linkname sprigFunctions github.com/Masterminds/sprig/v3.genericMap
var sprigFunctions map[string]any

// Bounds of what one call of a template's function may make.
const (
	maxText = 16 << 20
	maxList = 1_000_000
)

func init() {
	guard("repeat", func(f func(int, string) string) any {
		return func(count int, s string) (string, error) {
			return within(fits(count, len(s)), func() string { return f(count, s) })
		}
	})
	guard("until", func(f func(int) []int) any {
		return func(count int) ([]int, error) { return within(list(0, count, 1), func() []int { return f(count) }) }
	})
	guard("untilStep", func(f func(int, int, int) []int) any {
		return func(start, stop, step int) ([]int, error) {
			return within(list(start, stop, step), func() []int { return f(start, stop, step) })
		}
	})
	guard("seq", func(f func(...int) string) any {
		return func(params ...int) (string, error) {
			return within(sequence(params), func() string { return f(params...) })
		}
	})
	for _, name := range []string{"indent", "nindent"} {
		guard(name, func(f func(int, string) string) any {
			return func(spaces int, s string) (string, error) {
				return within(fits(strings.Count(s, "\n")+1, spaces), func() string { return f(spaces, s) })
			}
		})
	}
	guard("replace", func(f func(string, string, string) string) any {
		return func(old, by, s string) (string, error) {
			return within(fits(strings.Count(s, old), len(by)), func() string { return f(old, by, s) })
		}
	})
	guard("join", func(f func(string, any) string) any {
		return func(separator string, v any) (string, error) {
			return within(joined(separator, v), func() string { return f(separator, v) })
		}
	})
	guard("wrapWith", func(f func(int, string, string) string) any {
		return func(width int, by, s string) (string, error) {
			return within(fits(len(s)/max(width, 1)+1, len(by)), func() string { return f(width, by, s) })
		}
	})
	for _, name := range []string{"randAlphaNum", "randAlpha", "randAscii", "randNumeric"} {
		guard(name, func(f func(int) string) any {
			return func(count int) (string, error) { return within(fits(count, 1), func() string { return f(count) }) }
		})
	}
	guard("randBytes", func(f func(int) (string, error)) any {
		return func(count int) (string, error) {
			if !fits(count, 1) {
				return "", errTooMuch
			}
			return f(count)
		}
	})
	for _, name := range changing {
		sprigFunctions[name] = pin(name, sprigFunctions[name])
	}
}

// changing are the functions that give another value each time. What they make
// is no difference between two commits, so that one process answers the same
// call always in the same way.
var changing = []string{
	"now", "ago", "randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "shuffle", "uuidv4",
	"bcrypt", "htpasswd", "encryptAES", "genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey",
}

// maxPinned bounds the answers that are kept of one function.
const maxPinned = 1_000

// pin answers a call as it answered the first one with the same arguments.
func pin(name string, f any) any {
	var mu sync.Mutex
	answers := make(map[string][]reflect.Value)
	of := reflect.ValueOf(f)
	return reflect.MakeFunc(of.Type(), func(args []reflect.Value) []reflect.Value {
		given := make([]any, len(args))
		for i, a := range args {
			given[i] = a.Interface()
		}
		key := fmt.Sprintf("%s%q", name, given)
		mu.Lock()
		defer mu.Unlock()
		answer, known := answers[key]
		if !known {
			answer = of.Call(args)
			if len(answers) < maxPinned {
				answers[key] = answer
			}
		}
		return answer
	}).Interface()
}

var errTooMuch = fmt.Errorf("would make more than %d MiB of text, or more than %d numbers", maxText>>20, maxList)

// guard puts another function in the place of one of sprig's. A sprig whose
// function is another ends the process at its start, so that the tests see it.
func guard[F any](name string, by func(F) any) { sprigFunctions[name] = by(sprigFunctions[name].(F)) }

func within[T any](ok bool, f func() T) (T, error) {
	if !ok {
		var none T
		return none, errTooMuch
	}
	return f(), nil
}

// fits reports whether so many pieces of that size are not too much.
func fits(count, size int) bool { return count <= 0 || size <= 0 || count <= maxText/size }

// list reports whether there are not too many numbers between start and stop.
func list(start, stop, step int) bool {
	return step == 0 || math.Abs(float64(stop)-float64(start))/math.Abs(float64(step)) <= maxList
}

func sequence(params []int) bool {
	switch len(params) {
	case 1:
		return list(1, params[0], 1)
	case 2:
		return list(params[0], params[1], 1)
	case 3:
		return list(params[0], params[2], params[1])
	}
	return true
}

func joined(separator string, v any) bool {
	total, items := 0, reflect.ValueOf(v)
	if items.Kind() != reflect.Slice && items.Kind() != reflect.Array {
		return true
	}
	for i := range items.Len() {
		s, _ := items.Index(i).Interface().(string)
		if total += len(s) + len(separator); total > maxText {
			return false
		}
	}
	return true
}
