package early

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

const ask = "WAYBILL_TEST_PERCENT"

func TestMain(m *testing.M) {
	if os.Getenv(ask) != "" {
		fmt.Print(debug.SetGCPercent(-1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A program that starts collects less, unless its user says how much.
func TestEarly(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	others := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOGC=") })
	for set, want := range map[string]string{"": "400", "GOGC=250": "250"} {
		command := exec.Command(program)
		command.Env = append(slices.Clone(others), ask+"=1", set)
		if got, err := command.Output(); err != nil || string(got) != want {
			t.Errorf("%q: the heap may grow by %s percent, %v; want %s", set, got, err, want)
		}
	}
}
