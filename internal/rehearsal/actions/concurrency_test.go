package actions_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
)

func TestConcurrencyGroup(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	file := filepath.Join(r.dir, "order")
	gate := filepath.Join(r.dir, "gate")
	r.repository("acme/config", map[string]string{
		".github/workflows/w.yml": "run-name: ${{ inputs.n }}\non: {workflow_dispatch: {inputs: {n: {}}}}\nconcurrency: {group: " +
			"'one-${{ github.ref }}'}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo in ${{ inputs.n }} >> " + file + "; while ! [ -e " + gate + " ]; do sleep 0.02; done; echo out ${{ inputs.n }} >> " + file + "'}]}}\n",
	})
	client, err := github.New(github.Options{Token: r.user, APIURL: r.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := client.Dispatch(
			t.Context(), github.Repository{Owner: "acme", Name: "config"}, "w.yml", "main", map[string]string{"n": fmt.Sprint(n)},
		); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, run := range r.idle("acme/config") {
		got = append(got, run.Title+" "+run.Conclusion)
	}
	// One runs, one waits, and a newer one takes the place of the one that waits.
	if want := "0 success,1 cancelled,2 success"; strings.Join(got, ",") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	data, _ := os.ReadFile(file)
	if want := "in 0\nout 0\nin 2\nout 2\n"; string(data) != want {
		t.Errorf("order: got %q, want %q", data, want)
	}
}

// A newer run cancels the one in progress, whose programs end.
func TestCancelInProgress(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	started := filepath.Join(r.dir, "started")
	r.repository("acme/config", map[string]string{
		".github/workflows/w.yml": "run-name: ${{ inputs.n }}\non: {workflow_dispatch: {inputs: {n: {}}}}\nconcurrency: {group: " +
			"one, cancel-in-progress: true}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo $$ >> " + started + "; if [ ${{ " +
			"inputs.n }} = 0 ]; then sleep 1000; fi'}]}}\n",
	})
	client, err := github.New(github.Options{Token: r.user, APIURL: r.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if err := client.Dispatch(
			t.Context(), github.Repository{Owner: "acme", Name: "config"}, "w.yml", "main", map[string]string{"n": fmt.Sprint(n)},
		); err != nil {
			t.Fatal(err)
		}
		for data := ""; n == 0 && data == ""; time.Sleep(10 * time.Millisecond) { // until it has begun
			read, _ := os.ReadFile(started)
			data = string(read)
		}
	}
	var got []string
	for _, run := range r.idle("acme/config") {
		got = append(got, run.Title+" "+run.Conclusion)
	}
	if want := "0 cancelled,1 success"; strings.Join(got, ",") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	data, _ := os.ReadFile(started)
	first, _, _ := strings.Cut(string(data), "\n")
	if _, err := os.Stat("/proc/" + first); err == nil {
		t.Errorf("the step of the cancelled run, process %s, is alive", first)
	}
}
