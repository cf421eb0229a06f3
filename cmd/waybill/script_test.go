package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/rehearsal/healthd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// TestMain lets scripts run the real main as "waybill".
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"waybill": func() { os.Exit(run()) }})
}

// TestScripts runs the stories in testdata/script, each named after the command
// it is about. A script finds in its environment
//
//	REGISTRY  host of a registry of its own, with the referrers API
//	NOW       the time, RFC 3339; PAST is a day before it, LONG_AGO a year
//	TOOLS     directory of the real programs that make tools builds
//
// and, beside testscript's own, the commands below. The condition [sigstore]
// reports whether the programs of a Sigstore are there.
func TestScripts(t *testing.T) {
	t.Parallel()
	tools := os.Getenv(tooltest.Dir)
	if tools == "" {
		tools = filepath.Join(tooltest.Root(t), "bin", "tools")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			stand := new(standIn)
			env.Values[githubKey{}] = stand
			env.Setenv("REGISTRY", registrytest.New(t, stand.deny).Host)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("TOOLS", tools)
			env.Setenv("GOGC", os.Getenv("GOGC"))
			env.Values[jobsKey{}] = new(jobs)
			env.Values[postsKey{}] = new(posts)
			env.Values[sourcesKey{}] = new(healthd.Server)
			now := time.Now().UTC()
			env.Setenv("NOW", now.Format(time.RFC3339))
			env.Setenv("PAST", now.Add(-24*time.Hour).Format(time.RFC3339))
			env.Setenv("LONG_AGO", now.AddDate(-1, 0, 0).Format(time.RFC3339))
			return nil
		},
		Cmds: withConfigCommands(withScanCommands(t, map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"pushimage": pushImage,
			"genkey":    generateKey,
			"expand":    expandFiles,
			"exitcode":  exitCode,
			"sigstore":  startSigstore,
			"trustroot": writeTrustRoot, "withoutlog": writeWithoutLog, "tuf": serveTUF,
			"job":    grantJob,
			"cloud":  startCloud,
			"asked":  askedHosts,
			"output": readOutput,
			"fits":   fitsSchema,
			"sealed": readSealed,
			"kms":    func(ts *testscript.TestScript, neg bool, args []string) { startKMS(ts, filepath.Dir(tools), neg, args) },
		})),
		Condition: condition(tools),
	})
}

// fitsSchema holds what a command printed against docs/schema: fits COMMAND
func fitsSchema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fits COMMAND")
	}
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile("../../docs/schema/" + args[0] + ".json")
	ts.Check(err)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(err)
	ts.Check(schema.Validate(document))
}

// pushImage pushes an image for linux/amd64 and linux/arm64 and sets IMAGE,
// DIGEST, AMD64 and ARM64 (digests): pushimage NAME [CONTENT]
func pushImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: pushimage NAME [CONTENT]")
	}
	content := append(args, args[0])[1]
	var index v1.ImageIndex = empty.Index
	for _, arch := range []string{"amd64", "arm64"} {
		layer := static.NewLayer([]byte(content+arch), types.OCILayer)
		diffID, err := layer.DiffID()
		ts.Check(err)
		image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
		ts.Check(err)
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{
			OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}},
		})
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
		digest, err := image.Digest()
		ts.Check(err)
		ts.Setenv(map[string]string{"amd64": "AMD64", "arm64": "ARM64"}[arch], digest.String())
	}
	repository, err := name.NewRepository(ts.Getenv("REGISTRY") + "/" + args[0])
	ts.Check(err)
	ref, err := registry.New(registry.Options{}).PushIndex(context.Background(), repository, index)
	ts.Check(err)
	ts.Setenv("IMAGE", ref.String())
	ts.Setenv("DIGEST", ref.Digest())
}

// generateKey writes NAME.key (PKCS#8) and NAME.pub: genkey NAME [ecdsa|rsa|ed25519]
func generateKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: genkey NAME [ecdsa|rsa|ed25519]")
	}
	var private, public any
	switch append(args, "ecdsa")[1] {
	case "rsa":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		ts.Check(err)
		private, public = key, key.Public()
	case "ed25519":
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		ts.Check(err)
		private, public = key, pub
	default:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
		private, public = key, key.Public()
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	der, err = x509.MarshalPKIXPublicKey(public)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
}

// expandFiles puts the environment into files, in place of $NAME: expand FILE…
func expandFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("expand cannot be negated")
	}
	for _, file := range args {
		data, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(os.Expand(string(data), ts.Getenv)), 0o600))
	}
}

// exitCode runs a program that must end with the code: exitcode CODE PROGRAM ARG…
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE PROGRAM ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	want := args[0]
	got := "0"
	if err != nil {
		got = string(bytes.TrimPrefix([]byte(err.Error()), []byte("exit status ")))
	}
	if got != want {
		ts.Fatalf("%s ended with %s, want exit code %s", args[1], got, want)
	}
}
