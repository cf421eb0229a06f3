package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runVerify(ctx context.Context, call *cli.Call) error {
	image, err := imageref.Parse(call.In.String("image"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	cfg, err := config.Load(call.In.String("policy"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	app, policy, err := policyFor(call, cfg, image)
	if err != nil {
		return err
	}
	keys := cfg.PublicKeys()
	for _, path := range call.In.List("key") {
		key, print, err := readPublicKey(path)
		if err != nil {
			return err
		}
		keys, policy.Keys = append(keys, key), append(policy.Keys, print) // whoever gives a key accepts it
	}
	policy.Server = call.Env(contract.EnvGitHubServer)
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: call.In.String("trusted_root"), Keys: keys, Trusts: policy.Trusts})
	if err != nil {
		return err
	}
	deps := collect.Deps{Registry: registryClient(call, image.Registry()), Verifier: verifier, Server: policy.Server}
	waybill, err := collect.Verify(ctx, deps, image, policy, time.Now())
	if err != nil {
		return err
	}
	waybill.App, waybill.Env = app, call.In.String("env")
	return reportWaybill(call, waybill)
}

// policyFor is the policy for the image: that of the application which --app
// names, else of the one that has the image.
func policyFor(call *cli.Call, cfg *config.Config, image imageref.Ref) (app string, policy evidence.Policy, err error) {
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

func readPublicKey(path string) (pem []byte, fingerprint string, err error) {
	pem, err = os.ReadFile(path)
	if err != nil {
		return nil, "", outcome.Usagef("read --key: %w", err)
	}
	if _, fingerprint, err = sigstore.LoadPublicKey(pem); err != nil {
		return nil, "", outcome.Usagef("--key %s: %w", path, err)
	}
	return pem, fingerprint, nil
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
