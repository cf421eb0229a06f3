package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/contract"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/sign/sigstore"
	"github.com/waybill-dev/waybill/internal/verify"
)

func runVerify(ctx context.Context, call *cli.Call) error {
	image, err := imageref.Parse(call.In.String("image"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	app, policy, err := policyFor(call, image)
	if err != nil {
		return err
	}
	verifier, err := evidenceVerifier(call, call.In.List("key"))
	if err != nil {
		return err
	}
	policy.Keys = append(policy.Keys, verifier.Fingerprints()...) // whoever gives a key accepts it
	deps := verify.Deps{Registry: registryClient(call, image.Registry()), Verifier: verifier, Server: call.Env(contract.EnvGitHubServer)}
	waybill, err := verify.Verify(ctx, deps, image, policy, time.Now())
	if err != nil {
		return err
	}
	waybill.App, waybill.Env = app, call.In.String("env")
	return reportWaybill(call, waybill)
}

// policyFor reads the policy for the image out of waybill.yaml: of the
// application that --app names, else of the one that has the image.
func policyFor(call *cli.Call, image imageref.Ref) (app string, policy evidence.Policy, err error) {
	cfg, err := config.Load(call.In.String("policy"))
	if err != nil {
		return "", evidence.Policy{}, outcome.Usagef("%w", err)
	}
	app = call.In.String("app")
	if app == "" {
		found, err := cfg.AppForImage(image.Repository())
		if err != nil {
			return "", evidence.Policy{}, outcome.Usagef("%w", err)
		}
		app = found.Name
	}
	policy, err = cfg.Policy(app, call.In.String("env"))
	if err != nil {
		return "", evidence.Policy{}, outcome.Usagef("%w", err)
	}
	return app, policy, nil
}

// evidenceVerifier verifies signatures against --trusted-root and the public
// keys in files.
func evidenceVerifier(call *cli.Call, keyFiles []string) (*sigstore.Verifier, error) {
	o := sigstore.VerifierOptions{TrustedRoot: call.In.String("trusted_root")}
	for _, path := range keyFiles {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, outcome.Usagef("read --key: %w", err)
		}
		o.Keys = append(o.Keys, pem)
	}
	return sigstore.NewVerifier(o)
}

func reportWaybill(call *cli.Call, w evidence.Waybill) error {
	document, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return fmt.Errorf("write the waybill: %w", err)
	}
	text := map[string]string{"json": string(document) + "\n", "markdown": w.Markdown(), "text": w.Text()}[call.In.String("format")]
	if _, err := fmt.Fprint(call.Stdout, text); err != nil {
		return err
	}
	if err := call.Output("allowed", strconv.FormatBool(w.Decision.Allowed)); err != nil {
		return err
	}
	if err := call.Output("waybill", string(document)); err != nil {
		return err
	}
	if err := call.Runner.Summary(w.Markdown()); err != nil {
		return err
	}
	switch w.Decision.State() {
	case evidence.Refused:
		return outcome.Refusedf("%s", w.Refusal())
	case evidence.Pending:
		return outcome.Pendingf("%s", w.Refusal())
	}
	return nil
}
