package seal

import (
	"bytes"
	"context"
	"fmt"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/moby/sys/atomicwriter"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// StateType is what a sealed state is in a registry.
const StateType = "application/vnd.waybill.sealed-state.v1"

// State encrypts a state that the backend did not take, for those who can open
// the plan: a plain age file, for `age --decrypt` and `terraform state push`.
func State(data []byte, identities []Identity) ([]byte, error) {
	var recipients []Recipient
	for _, i := range identities {
		switch own := i.(type) {
		case interface{ Recipient() *age.X25519Recipient }:
			recipients = append(recipients, own.Recipient())
		case interface{ Recipient() *age.HybridRecipient }:
			recipients = append(recipients, own.Recipient())
		}
	}
	if len(recipients) == 0 {
		return nil, outcome.Usagef("the key that opens plans names no recipient to seal for")
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipients...)
	if err == nil {
		if _, err = w.Write(data); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("seal the state: %w", err)
	}
	return sealed.Bytes(), nil
}

// Armored is a sealed state as text, which may stand in a log.
func Armored(sealed []byte) (string, error) {
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	if _, err := w.Write(sealed); err != nil {
		return "", fmt.Errorf("write the sealed state as text: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("write the sealed state as text: %w", err)
	}
	return text.String(), nil
}

// SaveState keeps a sealed state beside the plan that ref names, and says
// where.
func SaveState(ctx context.Context, client Registry, plan, root string, sealed []byte) (string, error) {
	ref, path, err := ParseRef(plan)
	if err != nil {
		return "", err
	}
	if path != "" {
		path += "." + safeName(root) + ".tfstate.age"
		if err := atomicwriter.WriteFile(path, sealed, 0o600); err != nil {
			return "", fmt.Errorf("keep the sealed state: %w", err)
		}
		return path, nil
	}
	kept, err := client.PushDocuments(
		ctx, ref.Name(), StateType, []registry.Document{{Name: "errored.tfstate.age", MediaType: StateType, Data: sealed}},
	)
	if err != nil {
		return "", fmt.Errorf("keep the sealed state: %w", err)
	}
	return ociScheme + kept.String(), nil
}

// safeName makes a directory one part of a file's name.
func safeName(dir string) string {
	return string(bytes.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, []byte(dir)))
}
