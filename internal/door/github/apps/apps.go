// Package apps acts as a GitHub App: it finds where the App is installed, and gets
// its tokens.
package apps

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/transport"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// App is a GitHub App that acts where a job token may not: GitHub lets no job
// token past the rules of a protected branch, but an App can be on their bypass
// list.
type App struct {
	ID  string // client ID, or the number
	Key string // private key, PEM
	// Also are permissions that a token gets too, where the installation has them.
	Also map[string]string
}

// The token that an App shows of itself lives ten minutes at most; a minute of
// it is for clocks that differ.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
const (
	appTokenBack = time.Minute
	appTokenLife = 9 * time.Minute
)

// Token asks for an installation token of the App: for the one repository
// and the permissions named, as in a workflow file, and for an hour. The App
// must be installed there and have them all.
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
func Token(ctx context.Context, o github.Options, app App, repo github.Repository, permissions map[string]string) (string, error) {
	installation, err := Find(ctx, o, app, repo)
	if github.IsNotFound(err) {
		return "", fmt.Errorf(
			"the App %s is not installed on %s: install it there, with %s (%w)", app.ID, repo, words(permissions), err,
		)
	}
	if err != nil {
		return "", err
	}
	shown, err := app.show(now(o))
	if err != nil {
		return "", err
	}
	o.Token = shown
	client, err := github.New(o)
	if err != nil {
		return "", err
	}
	if also := installation.Narrowed(app.Also); len(also) > 0 {
		maps.Copy(also, permissions)
		permissions = also
	}
	wanted, err := installationPermissions(permissions)
	if err != nil {
		return "", err
	}
	op := fmt.Sprintf("get a token of the App %s for %s", app.ID, repo)
	var token gogithub.InstallationToken
	// Asked twice it gives two tokens, and one of them is never used.
	err = client.Send(transport.MayRepeat(ctx), op, fmt.Sprintf("POST app/installations/%d/access_tokens", installation.ID),
		&gogithub.InstallationTokenOptions{Repositories: []string{repo.Name}, Permissions: wanted}, &token)
	if err != nil {
		if github.IsStatus(err, http.StatusUnprocessableEntity) {
			return "", fmt.Errorf("the App %s lacks a permission on %s: it needs %s (%w)", app.ID, repo, words(permissions), err)
		}
		return "", err
	}
	if token.GetToken() == "" {
		return "", fmt.Errorf("%s: GitHub's answer holds none", op)
	}
	return token.GetToken(), nil
}

func now(o github.Options) time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// unknown is the error of a key that is not the App's.
func (a App) unknown(err error) error {
	return fmt.Errorf(
		"GitHub does not know the App %s by this key: is `app_key` its private key, and `app_id` its client ID? (%w)", a.ID, err,
	)
}

// show is the token by which the App says who it is.
func (a App) show(now time.Time) (string, error) {
	key, err := a.key()
	if err != nil {
		return "", err
	}
	claims := jwt.RegisteredClaims{
		Issuer: a.ID, IssuedAt: jwt.NewNumericDate(now.Add(-appTokenBack)), ExpiresAt: jwt.NewNumericDate(now.Add(appTokenLife)),
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key)
	if err != nil {
		return "", errors.New("the private key of the App cannot sign: download a new one from its settings")
	}
	return text, nil
}

// key never says what it could not read: that would be the key.
func (a App) key() (*rsa.PrivateKey, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(a.Key))
	if err != nil {
		return nil, outcome.Usagef("app_key is not an RSA private key in PEM form, as the settings of a GitHub App give it")
	}
	return key, nil
}

func installationPermissions(permissions map[string]string) (*gogithub.InstallationPermissions, error) {
	named := make(map[string]string, len(permissions))
	for scope, access := range permissions {
		named[strings.ReplaceAll(scope, "-", "_")] = access
	}
	data, err := json.Marshal(named)
	if err != nil {
		return nil, err
	}
	var p gogithub.InstallationPermissions
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// words are permissions as people read them.
func words(permissions map[string]string) string {
	list := make([]string, 0, len(permissions))
	for _, scope := range slices.Sorted(maps.Keys(permissions)) {
		list = append(list, scope+": "+permissions[scope])
	}
	return strings.Join(list, ", ")
}
