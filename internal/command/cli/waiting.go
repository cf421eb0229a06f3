package cli

import (
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/term"
)

// talks are the commands that ask questions, or show how far they are themselves.
var talks = []string{"init", "setup", "build"}

// pauses are between the lines that say that a command goes on. The last one repeats.
var pauses = []time.Duration{2 * time.Second, 8 * time.Second, 20 * time.Second, 30 * time.Second}

// isTerminal reports whether people watch what is written to w as it comes.
func isTerminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// goesOn says of a command that takes long how long it has run. The function that it
// returns ends that.
func goesOn(command string, say func(format string, args ...any), after func(time.Duration) <-chan time.Time) (stop func()) {
	if slices.Contains(talks, command) {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var total time.Duration
		for i := 0; ; i++ {
			pause := pauses[min(i, len(pauses)-1)]
			select {
			case <-done:
				return
			case <-after(pause):
				total += pause
				say("%s goes on after %s; --debug says each request", command, total)
			}
		}
	}()
	return func() { close(done); <-ended }
}
