package actions

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

// checkoutAction stands for actions/checkout, whose code is not on this
// machine: a clone from the sandbox, with the inputs that workflows use.
//
//go:embed checkout.yml
var checkoutAction []byte

func writeCheckout(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the stand-in for actions/checkout: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "action.yml"), checkoutAction, 0o644); err != nil {
		return fmt.Errorf("write the stand-in for actions/checkout: %w", err)
	}
	return nil
}
