package verdict

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/scratch"
	"github.com/waybill-dev/waybill/internal/text"
)

// Hooked is what the hooks of the default branch said of a plan.
type Hooked struct {
	Fingerprint plan.Fingerprint `json:"fingerprint"`
	Rules       string           `json:"rules"` // revision of waybill.yaml
	Hooks       []HookResult     `json:"hooks"`
	Unconfined  bool             `json:"unconfined,omitempty"` // this machine could not confine them
	Passed      int              `json:"passed,omitempty"`     // how many more ended with exit code 0; there was no room for them
}

// HookResult is what one hook said of one root.
type HookResult struct {
	Name   string `json:"name"`
	Root   string `json:"root"`
	Code   int    `json:"code"`             // exit code of the command
	Output string `json:"output,omitempty"` // without sensitive values
	Refuse bool   `json:"refuse,omitempty"` // a code other than 0 refuses the plan
}

const (
	hookTime   = 10 * time.Minute
	hookKept   = 64 << 10 // bytes of the output of one that are looked at
	hookOutput = 4_000    // runes of one, the end
)

const noRoom = "(there is no room for its output)"

// Hooks runs the hooks of the default branch on each root of the sealed plan. A command
// gets the plan in terraform's JSON form, and nothing of the job's environment: no token
// and no key. A command that cannot be started, or does not end, is an error.
func (r Request) Hooks(ctx context.Context) (*Hooked, error) {
	tip, err := r.Site.Tip(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := r.Site.Terraform(ctx)
	if err != nil || len(rules.Hooks) == 0 {
		return &Hooked{Rules: tip}, err
	}
	if r.Site.Top != "" {
		if at, _, err := r.Site.Checkout(ctx); err != nil || at != tip {
			return nil, outcome.Join(err, outcome.Refusedf("hooks run in the default branch, and the checkout is %.7s, not %.7s", at, tip))
		}
	}
	claim, found, err := comment.FindClaim(ctx, r.Site)
	if err != nil || !found || claim.Plan == "" {
		return &Hooked{Rules: tip}, err
	}
	if r.Key == nil {
		return nil, outcome.Usagef("hooks read the sealed plan: give the secret input seal_key")
	}
	identities, err := r.Key()
	if err != nil {
		return nil, err
	}
	bundle, err := seal.Fetch(ctx, seal.Source{
		Plan: claim.Plan, Registry: r.Registry, Identities: identities,
		Expect: seal.Expect{Now: time.Now(), Fingerprint: claim.Fingerprint, Repository: r.Site.Name()},
	})
	if err != nil {
		return nil, err
	}
	return r.runHooks(ctx, rules.Hooks, bundle, &Hooked{Fingerprint: claim.Fingerprint, Rules: tip})
}

func (r Request) runHooks(ctx context.Context, hooks []config.TerraformHook, b *seal.Bundle, said *Hooked) (*Hooked, error) {
	var plans []*terraform.Plan
	for _, root := range b.Roots {
		p, err := terraform.ParsePlan(root.JSON)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	secrets := redact.FindSecrets(plans...)
	var err error
	said.Unconfined = !process.Confines()
	for i, record := range b.Document.Roots {
		for _, h := range hooks {
			if is, err := doublestar.Match(h.Dir, record.Dir); h.Dir != "" && (err != nil || !is) {
				continue
			}
			root := roots.Root{Dir: record.Dir, Workspace: record.Workspace}.Name()
			one := HookResult{Name: h.Name, Root: root, Refuse: h.Refuse}
			var out string
			if one.Code, out, err = r.hook(ctx, h, b.Roots[i].JSON, "ROOT="+record.Dir, "WORKSPACE="+record.Workspace); err != nil {
				return nil, fmt.Errorf("hook %s on %s: %w", h.Name, root, secrets.Error(err))
			}
			out = text.Visible(secrets.Redact(text.Printable(out)), "\n\t")
			if runes := []rune(out); len(runes) > hookOutput {
				out = "… (the beginning is left out)\n" + string(runes[len(runes)-hookOutput:])
			}
			one.Output = out
			said.Hooks = append(said.Hooks, one)
		}
	}
	return said, said.fit()
}

// fit leaves out what the next job could not be told: outputs, the last ones first, then
// hooks that passed. What refuses the plan stays.
func (h *Hooked) fit() error {
	size := func(v any) int {
		data, _ := json.Marshal(v) // strings and numbers
		return len(data)
	}
	total := size(h)
	for i := len(h.Hooks) - 1; i >= 0 && total > limit.Variable; i-- {
		if one := &h.Hooks[i]; len(one.Output) > len(noRoom) {
			before := size(one)
			one.Output = noRoom
			total -= before - size(one)
		}
	}
	kept := slices.Clone(h.Hooks)
	for i := len(kept) - 1; i >= 0 && total > limit.Variable; i-- {
		if kept[i].Code == 0 {
			total -= size(kept[i])
			kept = slices.Delete(kept, i, i+1)
			h.Passed++
		}
	}
	if h.Hooks = kept; total > limit.Variable {
		return fmt.Errorf("%d hooks failed, more than the job that decides can be told: give them fewer roots, by dir in waybill.yaml", len(kept))
	}
	return nil
}

// hook runs one command, and gives its exit code and what it printed. It has the plan in a
// directory of its own, and changes files there alone: neither what another hook is given
// or runs, nor what later steps of the job run.
func (r Request) hook(ctx context.Context, h config.TerraformHook, planned []byte, env ...string) (code int, out string, err error) {
	home, err := scratch.New("")
	if err != nil {
		return 0, "", err
	}
	defer home.Remove()
	file := filepath.Join(home.Path, "plan.json")
	if err := os.WriteFile(file, planned, 0o600); err != nil {
		return 0, "", fmt.Errorf("write the plan for the hook: %w", err)
	}
	env = append(env, "PLAN="+file, "HOME="+home.Path, "TMPDIR="+home.Path, "PATH="+r.Path)
	limit := cmp.Or(r.HookTime, hookTime)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	printed := &process.Tail{Limit: hookKept}
	err = process.Command{
		Path: "/bin/sh", Args: []string{"-c", h.Run}, Env: env, Dir: r.Site.Top,
		Stdout: printed, Stderr: printed, Group: true, Grace: r.HookGrace,
		Confined: &process.Confinement{Write: []string{home.Path}},
	}.Run(limited)
	var failed *process.Error
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return 0, "", fmt.Errorf("it did not end within %s", limit)
	case errors.Is(err, process.ErrLeft):
		return 0, "", errors.New("its command ended, and left a program running, which was ended: let `run` of the hook in waybill.yaml wait " +
			"for what it starts in the background (write `wait` behind it), or end that")
	case errors.As(err, &failed) && limited.Err() == nil && failed.Code > 0 && failed.Code < 126:
		return failed.Code, printed.String(), nil // above that, the shell found no program, or a signal ended it
	}
	return 0, printed.String(), err
}

// hooked reads what the hooks said of the plan. Hooks that did not run, or ran on another
// plan or by another revision of waybill.yaml, hold the plan.
func (r Request) hooked(ctx context.Context, claim comment.Claim) (*Hooked, error) {
	rules, err := r.Site.Terraform(ctx)
	if err != nil || len(rules.Hooks) == 0 {
		return nil, err
	}
	tip, err := r.Site.Tip(ctx)
	if err != nil {
		return nil, err
	}
	if r.HooksSaid == "" {
		return nil, fmt.Errorf("the hooks of waybill.yaml did not run on this plan: see the job hooks of gate.yml, which needs the " +
			"variable WAYBILL_HOOKS and the secret WAYBILL_SEAL_KEY")
	}
	said := new(Hooked)
	if err := json.NewDecoder(strings.NewReader(r.HooksSaid)).Decode(said); err != nil {
		return nil, fmt.Errorf("read what the hooks said: %w", err)
	}
	if said.Fingerprint != claim.Fingerprint || said.Rules != tip {
		return nil, fmt.Errorf("the hooks ran on plan %s by waybill.yaml of %.7s; now they are %s and %.7s: run the gate again",
			said.Fingerprint.Short(), said.Rules, claim.Fingerprint.Short(), tip)
	}
	return said, r.refusedByHook(ctx, said)
}

// refusal is the hooks that refuse the plan, by name.
func (h *Hooked) refusal() error {
	var names []string
	for _, one := range h.Hooks {
		if one.Refuse && one.Code != 0 {
			names = append(names, fmt.Sprintf("hook %s refuses the plan of %s (exit code %d)", one.Name, text.Flat(one.Root), one.Code))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return outcome.Refusedf("%s. Its output is in the gate's comment", text.List(names, 10))
}

// Markdown shows the output of each hook.
func (h *Hooked) Markdown() string {
	var b bytes.Buffer
	if h == nil {
		return ""
	}
	for _, one := range h.Hooks {
		sign := "✅"
		switch {
		case one.Code != 0 && one.Refuse:
			sign = "❌ refused:"
		case one.Code != 0:
			sign = "⚠️"
		}
		fmt.Fprintf(&b, "\n<details><summary>%s %s on %s: exit code %d</summary>\n\n%s\n</details>\n", sign, markdown.HTML(one.Name),
			markdown.HTML(text.Clip(one.Root)), one.Code, markdown.Fence("", one.Output))
	}
	if h.Unconfined {
		b.WriteString("\n⚠️ This machine cannot confine hooks (only Linux 6.12 and later with Landlock can): " +
			"they could read what the job's user can read.\n")
	}
	if h.Passed > 0 {
		fmt.Fprintf(&b, "\n✅ %s more, with exit code 0\n", text.Count(h.Passed, "result"))
	}
	return b.String()
}
