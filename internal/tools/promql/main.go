// Command promql parses PromQL: one JSON string a line on standard input, one
// error a line on standard output, and "ok" for what parses.
//
// It is a module of its own because Prometheus' requirements would raise those
// of everything else.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "promql:", err)
		os.Exit(1)
	}
}

func run() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var expr string
		if err := json.Unmarshal(lines.Bytes(), &expr); err != nil {
			return fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		result := "ok"
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err != nil {
			result = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Println(result); err != nil {
			return err
		}
	}
	return lines.Err()
}
