package buildkit

import (
	"context"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
)

// login answers the daemon's question for a registry's credentials. Tokens the
// daemon gets by itself: the other calls stay unimplemented.
type login struct {
	auth.UnimplementedAuthServer
	credentials func(host string) (username, password string, err error)
}

func (l *login) Register(server *grpc.Server) { auth.RegisterAuthServer(server, l) }

func (l *login) Credentials(_ context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	if l.credentials == nil {
		return &auth.CredentialsResponse{}, nil
	}
	host := r.Host
	if host == "registry-1.docker.io" { // where Docker Hub's registry is, under another name than its login
		host = "index.docker.io"
	}
	username, password, err := l.credentials(host)
	if err != nil {
		return nil, err
	}
	return &auth.CredentialsResponse{Username: username, Secret: password}, nil
}
