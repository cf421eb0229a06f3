package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

const generated = "# Written by make generate from internal/command/contract. Do not edit.\n"

// quote writes a YAML double-quoted scalar. Expressions are neutral in it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// commandAction is the composite action of a command. Every input reaches the
// shell by env alone; the run lines are constant.
func commandAction(c contract.Command) []byte {
	var out strings.Builder
	out.WriteString(generated)
	fmt.Fprintf(&out, "name: %s\n", quote("Waybill "+c.Name))
	fmt.Fprintf(&out, "description: %s\n", quote(c.Short))
	out.WriteString("author: Waybill\n\ninputs:\n")
	for _, in := range c.Inputs {
		if in.LocalOnly {
			continue
		}
		fmt.Fprintf(&out, "  %s:\n    description: %s\n    required: %t\n", in.Name, quote(c.ActionDoc(in)), in.Required)
		switch {
		case in.Name == "token":
			out.WriteString("    default: ${{ github.token }}\n")
		case in.Default != "":
			fmt.Fprintf(&out, "    default: %s\n", quote(in.Default))
		}
	}
	if len(c.Outputs) > 0 {
		out.WriteString("\noutputs:\n")
		for _, o := range c.Outputs {
			fmt.Fprintf(&out, "  %s:\n    description: %s\n    value: ${{ steps.waybill.outputs.%s }}\n", o.Name, quote(o.Doc), o.Name)
		}
	}
	out.WriteString("\nruns:\n  using: composite\n  steps:\n")
	out.WriteString(installStep(c, "../install.sh"))
	// By its path: an earlier step may have put another one on PATH.
	out.WriteString(
		"    - id: waybill\n      shell: bash\n      run: 'exec \"$WAYBILL_BIN/waybill\" " + c.Name + "'\n      env:\n        " +
			"WAYBILL_BIN: ${{ steps.install.outputs.bin }}\n",
	)
	for _, in := range c.Inputs {
		if !in.LocalOnly {
			fmt.Fprintf(&out, "        %s: ${{ inputs.%s }}\n", in.EnvVar(), in.Name)
		}
	}
	return []byte(out.String())
}

// installStep installs the binaries. The script lies beside the action, in the
// same commit of the same repository. What gets an identity takes nothing that
// was not verified.
func installStep(c contract.Command, script string) string {
	step := "    - id: install\n      name: Install Waybill\n      shell: bash\n" +
		"      run: bash \"$GITHUB_ACTION_PATH/" + script + "\"\n      env:\n" +
		"        WAYBILL_BINARIES: " + binaries(c) + "\n"
	if c.Name == "sign" {
		step += "        WAYBILL_STRICT: \"true\"\n"
	}
	return step
}

// binaries are those that the action needs. The program that reaches a key
// management service is only there where the key is such a service's.
func binaries(c contract.Command) string {
	names := strings.Join(c.Binaries, " ")
	signs := slices.ContainsFunc(c.Inputs, func(in contract.Input) bool { return in.Name == "key" && !in.LocalOnly })
	if !signs {
		return names
	}
	return fmt.Sprintf("${{ contains(inputs.key, '://') && '%s %s' || '%[1]s' }}", names, contract.WaybillKMS)
}

func setupAction() []byte {
	return []byte(generated + `name: "Waybill setup"
description: "Put the waybill binaries on PATH: from a release whose SHA-256 this action carries, or built from this commit with Go."
author: Waybill
branding: {icon: package, color: blue}

inputs:
  binaries:
    description: "Binaries to install, separated by spaces: waybill, waybill-scan, waybill-sandbox, sigstore-kms-waybill."
    required: false
    default: "waybill waybill-scan"

outputs:
  version:
    description: "The version of waybill that is on PATH."
    value: ${{ steps.version.outputs.version }}

runs:
  using: composite
  steps:
    - id: install
      name: Install Waybill
      shell: bash
      run: bash "$GITHUB_ACTION_PATH/actions/install.sh"
      env:
        WAYBILL_BINARIES: ${{ inputs.binaries }}
    - id: version
      shell: bash
      run: echo "version=$("$WAYBILL_BIN/waybill" --version | sed 's/.* //')" >> "$GITHUB_OUTPUT"
      env:
        WAYBILL_BIN: ${{ steps.install.outputs.bin }}
`)
}
