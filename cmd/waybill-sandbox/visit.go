package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/retry"
)

// visitor does in a running rehearsal what people do on GitHub's pages.
type visitor struct{ dir string }

// visits are the commands of a visitor; dir is where the rehearsal is when no
// flag says so.
func visits(dir string) []*cobra.Command {
	v := &visitor{dir: dir}
	commands := []*cobra.Command{
		v.repository(), v.app(), v.protect(), v.wait(), v.pulls(), v.merge(), v.set(), v.token(), v.team(), v.pull(), v.comment(),
	}
	for _, cmd := range commands {
		cmd.Flags().StringVar(&v.dir, "dir", dir, "directory of the running rehearsal (serve --delivery); empty is the variable REHEARSAL")
	}
	return commands
}

func (v *visitor) repository() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "repository OWNER/NAME", Short: "Make an empty repository and print its address, with a token that may push",
		Args:    cobra.ExactArgs(1),
		Example: `  git remote add origin "$(waybill-sandbox repository acme/config)"`,
	}
	cmd.Flags().StringVar(&user, "user", "alice", "who pushes")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := v.find()
		if err != nil {
			return err
		}
		if err := r.call(
			cmd.Context(), "repositories", githubd.Seed{Name: args[0], Vars: maps.Clone(r.Variables), Author: user}, nil,
		); err != nil {
			return err
		}
		token, err := r.token(cmd.Context(), githubd.Token{User: user})
		if err != nil {
			return err
		}
		address, err := url.Parse(r.URLs.Server + "/" + args[0] + ".git")
		if err != nil {
			return err
		}
		address.User = url.UserPassword(user, token)
		_, err = fmt.Fprintln(cmd.OutOrStdout(), address)
		return err
	}
	return cmd
}

func (v *visitor) app() *cobra.Command {
	var repository, prefix, environment string
	var on, permissions, branches []string
	cmd := &cobra.Command{
		Use: "app SLUG", Short: "Make a GitHub App, and give a repository its id and key", Args: cobra.ExactArgs(1),
		Example: "  waybill-sandbox app acme-ask --on acme/config --permission deployments=write --for acme/backend --as WAYBILL_ASK_APP",
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&on, "on", nil, "OWNER/NAME that it is installed on")
	flags.StringArrayVar(&permissions, "permission", nil, "SCOPE=read or SCOPE=write that it has there")
	flags.StringVar(&repository, "for", "", "OWNER/NAME whose workflows act as it")
	flags.StringVar(&environment, "environment", "", "environment of that repository that holds id and key; empty is the repository itself")
	flags.StringArrayVar(&branches, "branch", nil, "branch that the environment is limited to; none limits it to no branch")
	flags.StringVar(&prefix, "as", "WAYBILL_APP", "the variable is called this and _ID, the secret this and _KEY")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		app := githubd.App{Slug: args[0], Repositories: on, Permissions: map[string]string{"metadata": "read"}}
		given, err := scopes(permissions)
		if err != nil {
			return err
		}
		maps.Copy(app.Permissions, given)
		if len(on) == 0 || repository == "" {
			return outcome.Usagef("app needs --on and --for")
		}
		r, err := v.find()
		if err != nil {
			return err
		}
		var made struct {
			ID  string `json:"client_id"`
			Key string `json:"key"`
		}
		if err := r.call(cmd.Context(), "apps", app, &made); err != nil {
			return err
		}
		if environment != "" {
			if err := r.call(
				cmd.Context(), "environments", map[string]any{"repository": repository, "name": environment, "branches": branches},
				nil,
			); err != nil {
				return err
			}
		}
		if err := r.call(cmd.Context(), "variables", setting{repository, environment, prefix + "_ID", made.ID}, nil); err != nil {
			return err
		}
		if err := r.call(cmd.Context(), "secrets", setting{repository, environment, prefix + "_KEY", made.Key}, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has the variable %s_ID and the secret %s_KEY\n", repository, prefix, prefix)
		return err
	}
	return cmd
}

type setting struct {
	Repository  string `json:"repository"`
	Environment string `json:"environment,omitempty"`
	Name        string `json:"name"`
	Value       string `json:"value"`
}

func (v *visitor) protect() *cobra.Command {
	var required, bypass []string
	cmd := &cobra.Command{
		Use: "protect OWNER/NAME", Short: "Let the default branch move by merging pull requests only", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringArrayVar(
		&required, "required", nil, "status context that merging needs: CONTEXT from anybody, or CONTEXT@SLUG from that App alone",
	)
	cmd.Flags().StringArrayVar(&bypass, "bypass", nil, "slug of an App that may move it all the same")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := v.find()
		if err != nil {
			return err
		}
		return r.call(cmd.Context(), "protect", map[string]any{"repository": args[0], "required": required, "bypass": bypass}, nil)
	}
	return cmd
}

func (v *visitor) wait() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "wait", Short: "Wait until the rehearsal is up and nothing runs; print what has run since the last time",
		Args: cobra.NoArgs,
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		r, err := v.await(ctx)
		if err != nil {
			return err
		}
		if err := r.get(ctx, "idle", url.Values{"timeout": {timeout.String()}}, nil); err != nil {
			return err
		}
		var runs []githubd.Run
		if err := r.get(ctx, "runs", nil, &runs); err != nil {
			return err
		}
		seen, err := v.seen(runs)
		if err != nil {
			return err
		}
		var failed []string
		for _, run := range runs[seen:] {
			fmt.Fprintf(cmd.OutOrStdout(), "%-9s %s: %s (%s)\n", run.Conclusion, run.Repository, run.Title, run.Event)
			if run.Conclusion != "success" {
				failed = append(failed, fmt.Sprintf("%s: see %s", run.Title, run.Log))
			}
		}
		if len(failed) > 0 {
			return fmt.Errorf("workflow runs failed: %s", strings.Join(failed, "; "))
		}
		return nil
	}
	return cmd
}

// seen is how many of the runs were told of before, and remembers that all of
// them are.
func (v *visitor) seen(runs []githubd.Run) (int, error) {
	file := filepath.Join(v.dir, "seen")
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	count, _ := strconv.Atoi(string(data)) // nothing yet is none
	return min(count, len(runs)), os.WriteFile(file, []byte(strconv.Itoa(len(runs))), 0o600)
}

func (v *visitor) pulls() *cobra.Command {
	var body, comments int
	cmd := &cobra.Command{
		Use: "pulls OWNER/NAME", Short: "List the pull requests and what was said of their heads", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().IntVar(&body, "body", 0, "number of the one whose text to print instead")
	cmd.Flags().IntVar(&comments, "comments", 0, "number of the one whose comments to print instead")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := v.find()
		if err != nil {
			return err
		}
		var pulls []githubd.PullRequest
		if err := r.get(cmd.Context(), "pulls", url.Values{"repository": args}, &pulls); err != nil {
			return err
		}
		for _, p := range pulls {
			switch p.Number {
			case body:
				_, err := fmt.Fprintln(cmd.OutOrStdout(), p.Body)
				return err
			case comments:
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(p.Comments, "\n\n---\n\n"))
				return err
			}
			if body+comments != 0 {
				continue
			}
			state := p.State
			if p.Merged {
				state = "merged"
			}
			var statuses []githubd.Status
			if err := r.get(cmd.Context(), "statuses", url.Values{"repository": args, "sha": {p.HeadSHA}}, &statuses); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "#%d %-7s %s\n", p.Number, state, p.Title)
			for _, s := range statuses {
				fmt.Fprintf(cmd.OutOrStdout(), "   %s %s: %s\n", s.State, s.Context, s.Description)
			}
		}
		if body+comments != 0 {
			return fmt.Errorf("%s has no pull request #%d", args[0], body+comments)
		}
		return nil
	}
	return cmd
}

func (v *visitor) merge() *cobra.Command {
	var user string
	cmd := &cobra.Command{Use: "merge OWNER/NAME NUMBER", Short: "Merge a pull request, as a reviewer does", Args: cobra.ExactArgs(2)}
	cmd.Flags().StringVar(&user, "user", "bob", "who merges")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		number, err := strconv.Atoi(args[1])
		if err != nil {
			return outcome.Usagef("%q is not the number of a pull request", args[1])
		}
		r, err := v.find()
		if err != nil {
			return err
		}
		var made struct{ SHA string }
		if err := r.call(
			cmd.Context(), "merge", map[string]any{"repository": args[0], "number": number, "user": user, "method": "merge"}, &made,
		); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s merged #%d as %.7s\n", user, number, made.SHA)
		return err
	}
	return cmd
}

// find reads where the rehearsal is.
func (v *visitor) find() (*served, error) {
	if v.dir == "" {
		return nil, outcome.Usagef("--dir is missing: the directory that waybill-sandbox serve --delivery was given")
	}
	data, err := os.ReadFile(filepath.Join(v.dir, rehearsalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: start it with waybill-sandbox serve --delivery --dir %s", errNotUp, v.dir)
	}
	if err != nil {
		return nil, err
	}
	r := new(served)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", rehearsalFile, err)
	}
	return r, nil
}

var errNotUp = errors.New("no rehearsal is served there")

// await is find, with patience for a rehearsal that is just starting.
func (v *visitor) await(ctx context.Context) (*served, error) {
	for {
		r, err := v.find()
		if !errors.Is(err, errNotUp) {
			return r, err
		}
		if retry.Wait(ctx, 100*time.Millisecond) != nil {
			return nil, err
		}
	}
}

func (r *served) call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return r.do(ctx, http.MethodPost, path, bytes.NewReader(body), out)
}

func (r *served) get(ctx context.Context, path string, query url.Values, out any) error {
	return r.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, out)
}

func (r *served) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, r.URLs.Admin+"/"+path, body)
	if err != nil {
		return err
	}
	return answer(req, out)
}

// answer makes a request and reads what comes back.
func answer(req *http.Request, out any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the rehearsal: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		var said struct{ Message string }
		_ = json.NewDecoder(resp.Body).Decode(&said)
		return fmt.Errorf("ask the rehearsal: %s: %s", resp.Status, said.Message)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
