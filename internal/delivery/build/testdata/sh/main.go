// Command sh is all the shell that the test images need:
// sh -c 'COMMAND [ARGUMENT…] > FILE' with the commands arch, echo, wait and length.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		os.Exit(2)
	}
	command, file, _ := strings.Cut(os.Args[2], ">")
	args := strings.Fields(os.Expand(command, os.Getenv))
	out := ""
	switch args[0] {
	case "arch":
		out = runtime.GOARCH
	case "echo":
		out = strings.Join(args[1:], " ")
	case "wait":
		fmt.Println("waiting")
		time.Sleep(time.Hour)
	case "length":
		data, err := os.ReadFile(args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out = fmt.Sprint(len(data))
	default:
		fmt.Fprintln(os.Stderr, "sh: unknown command:", args[0])
		os.Exit(127)
	}
	if file = strings.TrimSpace(file); file == "" {
		fmt.Println(out)
		return
	}
	if err := os.WriteFile(file, []byte(out+"\n"), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
