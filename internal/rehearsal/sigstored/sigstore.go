// Package sigstored starts a real Sigstore on loopback, for rehearsals and
// tests: Fulcio, a Rekor v2 log and a timestamp authority, as child processes
// on free ports, and writes the signing config and trusted root for them.
//
// Its keys are made at start and die with it: what was signed against one
// Stack does not verify against the next. It asks issuers that are given for
// their keys, so those have to run first.
package sigstored

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
)

// startWithin bounds the start of one program; attempts how often it is tried
// when somebody else was quicker to take a port.
const (
	startWithin = 60 * time.Second
	attempts    = 3
	grace       = 3 * time.Second
)

// Options say what to start.
type Options struct {
	Tools   string   // directory of the programs fulcio, rekor-server and timestamp-server
	State   string   // directory to write to, made if it is not there
	Issuers []string // URLs of the OIDC issuers to accept, shaped like GitHub's
}

// Stack is a running Sigstore.
type Stack struct {
	SigningConfig string // file
	TrustedRoot   string // file
	// TimestampChain is a PEM file with the timestamp authority's certificates,
	// for cosign's legacy form.
	TimestampChain string
	Instance       sigstore.Instance
	servers        []*process.Server
	logs           []*os.File
}

// Start starts the programs and waits until all answer. Stop ends them; ctx
// bounds the start alone.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	s := &Stack{
		SigningConfig: filepath.Join(o.State, "signing-config.json"), TrustedRoot: filepath.Join(o.State, "trusted-root.json"),
		TimestampChain: filepath.Join(o.State, "timestamp-chain.pem"),
		Instance:       sigstore.Instance{Since: time.Now().Add(-time.Hour).UTC().Truncate(time.Second)},
	}
	defer func() {
		if err != nil {
			s.Stop()
			err = fmt.Errorf("start Sigstore: %w", err)
		}
	}()
	if err := os.MkdirAll(o.State, 0o755); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context, Options) error{s.startFulcio, s.startTimestamps, s.startLog} {
		if err := start(ctx, o); err != nil {
			return nil, err
		}
	}
	return s, s.write()
}

// Stop ends the programs and waits for their end.
func (s *Stack) Stop() {
	for _, server := range s.servers {
		server.Stop()
	}
	for _, log := range s.logs {
		_ = log.Close()
	}
}

func (s *Stack) write() error {
	config, err := s.Instance.SigningConfig()
	if err != nil {
		return err
	}
	trusted, err := s.Instance.TrustedRoot()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(s.SigningConfig, config, 0o644),
		os.WriteFile(s.TrustedRoot, trusted, 0o644),
		os.WriteFile(s.TimestampChain, s.Instance.TimestampChain, 0o644))
}

func (s *Stack) startFulcio(ctx context.Context, o Options) error {
	config := filepath.Join(o.State, "fulcio.yaml")
	text, err := yaml.Marshal(fulcioConfig(o.Issuers)) // Fulcio reads JSON too, with other names
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return err
	}
	ports, err := s.run(ctx, o, service{"fulcio", 3, "/healthz"}, func(ports []string) []string {
		return []string{
			"serve", "--ca", "ephemeralca", "--ct-log-url", "", "--config-path", config, "--log_type", "prod",
			"--host", loopback, "--port", ports[0], "--grpc-host", loopback, "--grpc-port", ports[1], "--metrics-port", ports[2],
			"--legacy-unix-domain-socket", "@waybill-fulcio-" + ports[0],
		}
	})
	if err != nil {
		return err
	}
	s.Instance.FulcioURL = "http://" + loopback + ":" + ports[0]
	body, err := get(ctx, s.Instance.FulcioURL+"/api/v2/trustBundle")
	if err != nil {
		return err
	}
	var bundle struct {
		Chains []struct {
			Certificates []string `json:"certificates"`
		} `json:"chains"`
	}
	if err := json.Unmarshal(body, &bundle); err != nil || len(bundle.Chains) == 0 {
		return fmt.Errorf("read the trust bundle of fulcio: %w", errors.Join(err, errors.New("it names no certificates")))
	}
	s.Instance.FulcioChain = []byte(strings.Join(bundle.Chains[0].Certificates, "\n"))
	return nil
}

func (s *Stack) startTimestamps(ctx context.Context, o Options) error {
	ports, err := s.run(ctx, o, service{"timestamp-server", 1, "/ping"}, func(ports []string) []string {
		return []string{"serve", "--timestamp-signer", "memory", "--disable-ntp-monitoring", "--host", loopback, "--port", ports[0]}
	})
	if err != nil {
		return err
	}
	s.Instance.TimestampURL = "http://" + loopback + ":" + ports[0] + "/api/v1/timestamp"
	s.Instance.TimestampChain, err = get(ctx, s.Instance.TimestampURL+"/certchain")
	return err
}

func (s *Stack) startLog(ctx context.Context, o Options) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	key := filepath.Join(o.State, "rekor.key")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER}), 0o600); err != nil {
		return err
	}
	storage, err := os.MkdirTemp(o.State, "rekor-") // a log of its own for the key of its own
	if err != nil {
		return err
	}
	ports, err := s.run(ctx, o, service{"rekor-server", 3, "/healthz"}, func(ports []string) []string {
		return []string{
			"serve", "--storage-dir", storage, "--signer-filepath", key, "--hostname", loopback,
			"--checkpoint-interval", "200ms", "--batch-max-age", "50ms", "--log-level", "warn",
			"--http-address", loopback, "--http-port", ports[0], "--grpc-address", loopback, "--grpc-port", ports[1],
			"--http-metrics-port", ports[2],
		}
	})
	if err != nil {
		return err
	}
	s.Instance.LogURL = "http://" + loopback + ":" + ports[0]
	s.Instance.LogKey = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})
	s.Instance.LogOrigin = loopback
	return nil
}

const loopback = "127.0.0.1"

// service is a program that listens on ports, and answers at path once it is up.
type service struct {
	program string
	ports   int
	path    string
}

// run starts one program on free ports and waits until it answers at path on
// the first of them.
func (s *Stack) run(ctx context.Context, o Options, of service, args func(ports []string) []string) ([]string, error) {
	var last error
	for range attempts {
		ports, err := freePorts(ctx, of.ports)
		if err != nil {
			return nil, err
		}
		log, err := os.Create(filepath.Join(o.State, of.program+".log"))
		if err != nil {
			return nil, err
		}
		server, err := process.Command{
			Path: filepath.Join(o.Tools, of.program), Args: args(ports), Dir: o.State, Env: []string{"HOME=" + o.State}, Grace: grace,
			Stdout: log, Stderr: log,
		}.Start(context.WithoutCancel(ctx))
		if err != nil {
			return nil, errors.Join(err, log.Close())
		}
		s.logs = append(s.logs, log)
		if last = wait(ctx, server, "http://"+loopback+":"+ports[0]+of.path); last == nil {
			s.servers = append(s.servers, server)
			return ports, nil
		}
		server.Stop()
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("start %s: %w", of.program, last)
}

// wait polls until the program answers or ends.
func wait(ctx context.Context, server *process.Server, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := get(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-server.Done():
			return fmt.Errorf("it ended: %w", errors.Join(server.Err(), err))
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return body, err
}

// freePorts finds ports that nobody listens on now.
func freePorts(ctx context.Context, count int) ([]string, error) {
	var ports []string
	for range count {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", loopback+":0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // all at once, so that no port comes twice
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
