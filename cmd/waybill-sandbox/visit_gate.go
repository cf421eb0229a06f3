package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func (v *visitor) set() *cobra.Command {
	var secret bool
	cmd := &cobra.Command{
		Use:   "set OWNER/NAME NAME [VALUE]",
		Short: "Set a variable or a secret of a repository; without VALUE it is read from standard input", Args: cobra.RangeArgs(2, 3),
	}
	cmd.Flags().BoolVar(&secret, "secret", false, "set a secret")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := v.find()
		if err != nil {
			return err
		}
		s := setting{Repository: args[0], Name: args[1]}
		if len(args) == 3 {
			s.Value = args[2]
		} else {
			data, err := io.ReadAll(cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("read the value of %s: %w", s.Name, err)
			}
			s.Value = strings.TrimSuffix(string(data), "\n")
		}
		kind := map[bool]string{true: "secrets", false: "variables"}[secret]
		return r.call(cmd.Context(), kind, s, nil)
	}
	return cmd
}

func (v *visitor) token() *cobra.Command {
	var user string
	var permissions []string
	cmd := &cobra.Command{Use: "token", Short: "Make a token and print it", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&user, "user", "alice", "whose")
	cmd.Flags().StringArrayVar(&permissions, "permission", nil, "SCOPE=read or SCOPE=write; none is everything")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		t := githubd.Token{User: user}
		var err error
		if t.Permissions, err = scopes(permissions); err != nil {
			return err
		}
		r, err := v.find()
		if err != nil {
			return err
		}
		token, err := r.token(cmd.Context(), t)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
		return err
	}
	return cmd
}

// scopes reads SCOPE=ACCESS; nil where there is none.
func scopes(list []string) (map[string]string, error) {
	var permissions map[string]string
	for _, p := range list {
		scope, access, ok := strings.Cut(p, "=")
		if !ok {
			return nil, outcome.Usagef("--permission %s is not of the form SCOPE=read or SCOPE=write", p)
		}
		if permissions == nil {
			permissions = make(map[string]string)
		}
		permissions[scope] = access
	}
	return permissions, nil
}

func (v *visitor) team() *cobra.Command {
	cmd := &cobra.Command{Use: "team ORG/SLUG USER...", Short: "Make a team of these users", Args: cobra.MinimumNArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := v.find()
		if err != nil {
			return err
		}
		return r.call(cmd.Context(), "teams", map[string]any{"team": args[0], "users": args[1:]}, nil)
	}
	return cmd
}

func (v *visitor) pull() *cobra.Command {
	var user, title string
	cmd := &cobra.Command{Use: "pull OWNER/NAME BRANCH", Short: "Open a pull request to main", Args: cobra.ExactArgs(2)}
	cmd.Flags().StringVar(&user, "user", "alice", "who opens it")
	cmd.Flags().StringVar(&title, "title", "", "its title; empty is the branch")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if title == "" {
			title = args[1]
		}
		r, err := v.find()
		if err != nil {
			return err
		}
		var made struct{ Number int }
		if err := r.as(
			cmd.Context(), user, "/repos/"+args[0]+"/pulls", map[string]string{"title": title, "head": args[1], "base": "main"},
			&made,
		); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "#%d by %s: %s\n", made.Number, user, title)
		return err
	}
	return cmd
}

func (v *visitor) comment() *cobra.Command {
	var user string
	cmd := &cobra.Command{Use: "comment OWNER/NAME NUMBER TEXT", Short: "Comment on a pull request", Args: cobra.ExactArgs(3)}
	cmd.Flags().StringVar(&user, "user", "bob", "who says it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := strconv.Atoi(args[1]); err != nil {
			return outcome.Usagef("%q is not the number of a pull request", args[1])
		}
		r, err := v.find()
		if err != nil {
			return err
		}
		return r.as(cmd.Context(), user, "/repos/"+args[0]+"/issues/"+args[1]+"/comments", map[string]string{"body": args[2]}, nil)
	}
	return cmd
}

func (r *served) token(ctx context.Context, t githubd.Token) (string, error) {
	var made struct{ Token string }
	err := r.call(ctx, "tokens", t, &made)
	return made.Token, err
}

// as calls GitHub's own API, as a user.
func (r *served) as(ctx context.Context, user, path string, in, out any) error {
	token, err := r.token(ctx, githubd.Token{User: user})
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URLs.API+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return answer(req, out)
}
