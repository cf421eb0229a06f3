package render

import (
	"fmt"
	"math"
)

// Normal copies a value, with the types that the API server's decoder gives it:
// whole numbers are int64.
func Normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			out[k] = Normal(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = Normal(inner)
		}
		return out
	case int:
		return int64(v)
	case uint64:
		if v > math.MaxInt64 {
			return float64(v)
		}
		return int64(v)
	case float64:
		if whole := int64(v); float64(whole) == v {
			return whole
		}
		return v
	case nil, string, bool, int64:
		return v
	}
	return fmt.Sprint(v) // a date that is not quoted
}
