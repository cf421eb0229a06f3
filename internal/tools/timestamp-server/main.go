// Command timestamp-server is Sigstore's timestamp authority without its
// metrics: the stock command serves them on port 2112, which no flag moves, and
// ends when another one has that port, so that two could not run on one machine.
//
// It signs with a key made at start, and takes the stock command's flags of
// that case: serve --host HOST --port PORT.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/log"
	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

const timeout = 30 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "timestamp-server:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || args[0] != "serve" {
		return fmt.Errorf("usage: timestamp-server serve --host HOST --port PORT")
	}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	host := flags.String("host", "127.0.0.1", "address to listen on")
	port := flags.Int("port", 0, "port to listen on")
	flags.String("timestamp-signer", "memory", "only memory is known here")
	flags.Bool("disable-ntp-monitoring", true, "the clock is not watched")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	log.ConfigureLogger("prod")
	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("max-request-body-size", 1<<20)
	s := server.NewRestAPIServer(*host, *port, []string{"http"}, false, timeout, timeout)
	return s.Serve()
}
